-- Every table that could be tracked, with the reason where it can't be. Partitions stand under their root.
SELECT n.nspname AS schema, c.relname AS name, c.oid::regclass::text AS qualified,
  CASE c.relkind WHEN 'p' THEN (SELECT coalesce(sum(greatest(l.reltuples, 0)), 0) FROM audit.partitions(c.oid) p JOIN pg_class l ON l.oid = p.relid AND p.isleaf)
    ELSE greatest(c.reltuples, 0) END::float8 AS rows,
  CASE c.relkind WHEN 'p' THEN (SELECT coalesce(sum(pg_total_relation_size(p.relid)), 0) FROM audit.partitions(c.oid) p) ELSE pg_total_relation_size(c.oid) END::float8 AS bytes,
  c.relkind = 'p' AS partitioned, EXISTS (SELECT FROM audit.tracked_table t WHERE t.relid = c.oid) AS tracked,
  audit.refusal(c.oid) AS refusal, audit.fingerprint(c.oid) -> 'key' AS key
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('audit', 'pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\_toast%' AND n.nspname NOT LIKE 'pg\_temp%'
ORDER BY 1, 2
