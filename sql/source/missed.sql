-- Batches that were finished for another lake. $1: the ordinal of the last batch that this lake holds, 0 for none.
-- missed: of those that are kept (audit.finish); the newest always is, so a lake that is behind by more has one too.
SELECT
  count(*) FILTER (WHERE b.state = 'done' AND b.ordinal > $1::int8)::int4 AS missed,
  to_json(max(b.cut_at) FILTER (WHERE b.state = 'done' AND b.ordinal > $1::int8) AT TIME ZONE 'UTC') #>> '{}' || 'Z' AS last_missed_cut,
  to_json((SELECT e.started_at FROM audit.epoch e) AT TIME ZONE 'UTC') #>> '{}' || 'Z' AS epoch_start,
  to_json(max(b.cut_at) AT TIME ZONE 'UTC') #>> '{}' || 'Z' AS last_cut,
  to_json(clock_timestamp() AT TIME ZONE 'UTC') #>> '{}' || 'Z' AS now,
  coalesce(max(b.ordinal), 0)::float8 AS last_ordinal
FROM audit.batch b
