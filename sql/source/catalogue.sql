-- A version of each tracked table's entry in the catalogue: another one after every DDL that could matter to the lake, or to our triggers, and after some
-- that can't.
-- Made of the transactions that wrote the rows last: VACUUM and ANALYZE update pg_class in place, so they change nothing here. cut: when this was read.
WITH RECURSIVE tree (table_id, relid) AS (
  SELECT t.table_id, t.relid::oid FROM audit.tracked_table t WHERE t.relid IS NOT NULL
  UNION ALL
  SELECT p.table_id, i.inhrelid FROM tree p JOIN pg_inherits i ON i.inhparent = p.relid
), part (table_id, relid, version) AS (
  SELECT r.table_id, r.relid, concat_ws(' ', r.relid, c.xmin, n.nspname,
    (SELECT bit_xor(hashtextextended(concat_ws(' ', a.attnum, a.xmin), 0)) FROM pg_attribute a WHERE a.attrelid = r.relid AND a.attnum > 0),
    (SELECT bit_xor(hashtextextended(concat_ws(' ', x.indexrelid, x.xmin), 0)) FROM pg_index x WHERE x.indrelid = r.relid),
    (SELECT bit_xor(hashtextextended(concat_ws(' ', g.oid, g.xmin), 0)) FROM pg_trigger g WHERE g.tgrelid = r.relid AND g.tgname LIKE 'sluice\_%'))
  FROM tree r JOIN pg_class c ON c.oid = r.relid JOIN pg_namespace n ON n.oid = c.relnamespace
)
SELECT t.table_id, concat_ws(' ', t.xmin, string_agg(p.version, ' ' ORDER BY p.relid)) AS version,
  to_json(clock_timestamp() AT TIME ZONE 'UTC') #>> '{}' || 'Z' AS cut
FROM audit.tracked_table t LEFT JOIN part p ON p.table_id = t.table_id
GROUP BY t.table_id, t.xmin
