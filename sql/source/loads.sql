-- Loads with the names of their tables: those with these ids, or without ids all that are not done. $1: ids, or null · $2: the advisory lock of leaders
-- expected: rows, as the load found them estimated when it began, else as they are now. led: whether a daemon leads.
SELECT l.load_id AS id, l.table_id AS "tableId", coalesce(n.nspname, t.schema_name) AS schema, coalesce(c.relname, t.table_name) AS name, l.mode,
  l.rows_expected IS NOT NULL AS "atWork", coalesce(l.rows_read, 0)::float8 AS read,
  coalesce(l.rows_expected, (SELECT sum(greatest(k.reltuples, 0)) FROM pg_class k
    WHERE k.oid = t.relid OR k.oid IN (SELECT p.relid FROM audit.partitions(t.relid) p WHERE p.isleaf)), 0)::float8 AS expected,
  extract(epoch FROM clock_timestamp() - l.began_at)::float8 AS seconds, l.done_at IS NOT NULL AS done, l.result,
  EXISTS (SELECT FROM pg_locks k WHERE k.locktype = 'advisory' AND k.granted AND k.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (k.classid::int8 << 32 | k.objid::int8) = $2::int8) AS led
FROM audit.load l JOIN audit.tracked_table t USING (table_id)
LEFT JOIN pg_class c ON c.oid = t.relid LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE CASE WHEN $1::uuid[] IS NULL THEN l.done_at IS NULL ELSE l.load_id = ANY ($1::uuid[]) END
ORDER BY l.rows_expected IS NULL, l.requested_at, 3, 4
