-- One row a tracked table: where it stands and, in `problem`, what keeps its changes from the log (null: nothing).
--   missing        triggers that it should have and has not: run audit.track again (a new partition, a dropped trigger)
--   disabled       triggers that are there but off
--   refusal        why audit.track would refuse it now (its rows can't be read any more, it became a partition)
--   faults         SQLSTATEs with which reading rows again failed since the last audit.track: the order of such statements is not proved
--   paused_at      since when its changes are not logged (audit.pause), or were not until a moment ago: the daemon has yet to name the gap
--   stale          its capture function was made for another key or other columns: captured right, but slowly until audit.refresh or track
--   drift          parts of the fingerprint that differ from those at track: rows changed that no trigger could see
CREATE OR REPLACE VIEW audit.status AS
  SELECT t.table_id, coalesce(n.nspname, t.schema_name) AS schema_name, coalesce(c.relname, t.table_name) AS table_name, t.capture, t.tracked_at,
    f.now -> 'key' AS key,
    missing.triggers AS missing, disabled.triggers AS disabled, drift.parts AS drift, refused.why AS refusal, fault.codes AS faults,
    CASE
      WHEN c.oid IS NULL THEN 'dropped'
      WHEN c.relispartition THEN 'partition'
      WHEN refused.why IS NOT NULL THEN 'refused'
      WHEN missing.triggers IS NOT NULL THEN 'bypassed'
      WHEN disabled.triggers IS NOT NULL THEN 'disabled'
      WHEN t.paused_at IS NOT NULL THEN 'paused'
      WHEN fault.codes IS NOT NULL THEN 'unproved'
      WHEN drift.parts IS NOT NULL THEN 'drifted'
    END AS problem,
    t.context, audit.is_stale(t.table_id) AS stale, t.paused_at
  FROM audit.tracked_table t
  LEFT JOIN pg_class c ON c.oid = t.relid
  LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN LATERAL (SELECT coalesce(audit.refusal(t.relid), audit.rules_refusal(t)) AS why) refused ON true
  LEFT JOIN LATERAL (SELECT array_agg(DISTINCT u.sqlstate) AS codes FROM audit.fault u WHERE u.table_id = t.table_id) fault ON true
  LEFT JOIN LATERAL (SELECT audit.fingerprint(t.relid) AS now) f ON true
  LEFT JOIN LATERAL (
    SELECT array_agg(w.on_table::text || '.' || w.trigger_name) AS triggers
    FROM audit.triggers(t.table_id, t.relid, t.capture) w
    WHERE c.oid IS NOT NULL AND NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = w.on_table AND g.tgname = w.trigger_name)
  ) missing ON true
  LEFT JOIN LATERAL (
    SELECT array_agg(g.tgrelid::regclass::text || '.' || g.tgname) AS triggers
    FROM (SELECT c.oid AS relid UNION SELECT p.relid FROM audit.partitions(t.relid) p) r
    JOIN pg_trigger g ON g.tgrelid = r.relid AND g.tgname LIKE 'sluice\_%' AND g.tgenabled IN ('D', 'R')
  ) disabled ON true
  LEFT JOIN LATERAL (
    SELECT array_agg(k.part) AS parts
    FROM jsonb_object_keys(t.fingerprint) AS k (part)
    WHERE c.oid IS NOT NULL AND CASE k.part
      WHEN 'types' THEN EXISTS (  -- columns that came or went are no matter
        SELECT FROM jsonb_each(t.fingerprint -> 'types') was JOIN jsonb_each(f.now -> 'types') has USING (key) WHERE was.value <> has.value)
      ELSE t.fingerprint -> k.part IS DISTINCT FROM f.now -> k.part END
  ) drift ON true
  WHERE t.relid IS NOT NULL;
