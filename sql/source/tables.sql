-- Tracked tables as the catalogue has them now. $1: their ids. A table that was dropped or untracked: relid null and no columns.
-- filled: what rows from before an ADD COLUMN … DEFAULT have in that column, by attnum.
SELECT t.table_id, c.oid::text AS relid, coalesce(n.nspname, t.schema_name) AS schema, coalesce(c.relname, t.table_name) AS name,
  CASE WHEN c.oid IS NULL THEN '[]' ELSE audit.columns(t.relid) END AS columns,
  (SELECT json_agg(k.attnum ORDER BY k.position) FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey[0:i.indnkeyatts - 1]) WITH ORDINALITY AS k (attnum, position)
   WHERE i.indexrelid = audit.key_of(t.relid)) AS key,
  (SELECT coalesce(json_object_agg(a.attnum, to_json(a.attmissingval) -> 0), '{}') FROM pg_attribute a
   WHERE a.attrelid = c.oid AND a.atthasmissing AND NOT a.attisdropped) AS filled,
  '{}'::json AS options
FROM audit.tracked_table t
LEFT JOIN pg_class c ON c.oid = t.relid
LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE t.table_id = ANY ($1::int4[])
