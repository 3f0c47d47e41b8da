-- Every table that could be tracked, as far as can be told before schema audit is there. Partitions stand under their root.
SELECT n.nspname AS schema, c.relname AS name, c.oid::regclass::text AS qualified,
  CASE c.relkind WHEN 'p' THEN (SELECT coalesce(sum(greatest(l.reltuples, 0)), 0) FROM pg_partition_tree(c.oid) p JOIN pg_class l ON l.oid = p.relid AND p.isleaf)
    ELSE greatest(c.reltuples, 0) END::float8 AS rows,
  CASE c.relkind WHEN 'p' THEN (SELECT coalesce(sum(pg_total_relation_size(p.relid)), 0) FROM pg_partition_tree(c.oid) p) ELSE pg_total_relation_size(c.oid) END::float8 AS bytes,
  c.relkind = 'p' AS partitioned, false AS tracked, NULL AS refusal,
  (SELECT json_agg(a.attname) FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) WHERE i.indrelid = c.oid AND i.indisprimary) AS key
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('audit', 'pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\_toast%' AND n.nspname NOT LIKE 'pg\_temp%'
ORDER BY 1, 2
