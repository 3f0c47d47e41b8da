-- Tables whose changes are logged, or are to be named as not logged. paused: yes, ended (audit.paused_spans has not been named yet) or no.
SELECT t.table_id AS id, coalesce(n.nspname, t.schema_name) AS schema, coalesce(c.relname, t.table_name) AS name,
  CASE WHEN t.paused_at IS NULL THEN 'no' WHEN t.resumed_at IS NULL THEN 'yes' ELSE 'ended' END AS paused
FROM audit.tracked_table t LEFT JOIN pg_class c ON c.oid = t.relid LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid IS NOT NULL OR t.paused_at IS NOT NULL
ORDER BY 1
