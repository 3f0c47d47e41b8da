-- The state of the batch protocol. waiting_since: the time of the oldest change in the buffer, by place, so it costs no scan.
-- batches_done: also those whose rows audit.finish has taken away, by their numbers (a crash of the source may skip a few).
SELECT
  (SELECT coalesce(sum(pg_total_relation_size(b)), 0) FROM unnest(ARRAY['audit.cdc'::regclass, 'audit.cdc_old'::regclass]) b)::float8 AS buffer_bytes,
  (SELECT min(w.cdc_ts) FROM ((SELECT cdc_ts FROM audit.cdc_old LIMIT 1) UNION ALL (SELECT cdc_ts FROM audit.cdc LIMIT 1)) w) AS waiting_since,
  (SELECT to_json(o.*) FROM (SELECT id, ordinal, kind, cut_at, settled_at IS NOT NULL AS settled FROM audit.batch WHERE state = 'open') o) AS open_batch,
  (SELECT to_json(d.*) FROM (SELECT id, ordinal, kind, cut_at, done_at, rows FROM audit.batch WHERE state = 'done' ORDER BY ordinal DESC LIMIT 1) d) AS last_batch,
  (SELECT count(*) + coalesce(min(ordinal) - 1, 0) FROM audit.batch WHERE state = 'done')::float8 AS batches_done,
  EXISTS (SELECT FROM audit.sentinel s JOIN audit.epoch e USING (epoch)) AS sentinel,
  EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.granted AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (l.classid::int8 << 32 | l.objid::int8) = $1::int8) AS led
