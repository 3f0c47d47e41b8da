-- Where the rows of tracked tables lie: themselves, or their leaf partitions. $1: their ids. filenode: another one once it was rewritten, and ctids with it.
-- All in one row: see tables.sql.
SELECT coalesce(json_agg(found), '[]') AS leaves FROM (
SELECT t.table_id, l.oid::text AS relid, pg_relation_filenode(l.oid)::text AS filenode,
  (pg_relation_size(l.oid) / current_setting('block_size')::int8)::float8 AS pages,
  pg_table_size(l.oid)::float8 AS bytes, greatest(l.reltuples, 0)::float8 AS rows
FROM audit.tracked_table t JOIN pg_class r ON r.oid = t.relid
CROSS JOIN LATERAL (SELECT t.relid WHERE r.relkind = 'r' UNION ALL SELECT p.relid FROM audit.partitions(t.relid) p WHERE r.relkind = 'p' AND p.isleaf) p
JOIN pg_class l ON l.oid = p.relid
WHERE t.table_id = ANY ($1::int4[])
ORDER BY t.table_id, l.oid) found
