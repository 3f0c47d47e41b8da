-- Tracked tables as the catalogue has them now. $1: their ids. A table that was dropped or untracked: relid null and no columns.
-- columns: without excluded ones; a masked one is text, as which it is captured.
-- Bounds and sizes of partitions take an ACCESS SHARE lock on them; nothing else here locks a table of the application.
-- All in one row, for a lock may not be had: after an error between rows the driver (postgres 3.4.9, its issue 1119) begins the next result of that
-- connection with a hole for each row it had. ORDER BY would not do: rows may come sorted by an index, one after the other.
-- partitions: the leaves by oid; loaded: it was attached with rows that no trigger saw (one that was made as a partition got its type with its parent).
-- filled: what rows from before an ADD COLUMN … DEFAULT have in that column, by attnum; not of a masked one, whose values must not leave the table.
SELECT coalesce(json_agg(found), '[]') AS tables FROM (
SELECT t.table_id, c.oid::text AS relid, coalesce(n.nspname, t.schema_name) AS schema, coalesce(c.relname, t.table_name) AS name, t.options,
  k.attnums AS key, coalesce(p.partitions, '{}') AS partitions, coalesce(a.columns, '[]') AS columns, coalesce(f.filled, '{}') AS filled
FROM audit.tracked_table t
LEFT JOIN pg_class c ON c.oid = t.relid
LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN LATERAL (SELECT json_agg(k.attnum ORDER BY k.position) AS attnums FROM audit.key_columns(t) k WHERE c.oid IS NOT NULL) k ON true
LEFT JOIN LATERAL (
  SELECT jsonb_agg(CASE WHEN r.rule IS NULL THEN d.value ELSE d.value || '{"type": {"schema": "pg_catalog", "name": "text", "kind": "b", "text": "text"}}' END
    ORDER BY r.attnum) AS columns
  FROM jsonb_array_elements(audit.column_types(t.relid)) d JOIN audit.columns(t) r ON r.attnum = (d.value ->> 'attnum')::smallint
  WHERE c.oid IS NOT NULL AND r.rule IS DISTINCT FROM 'exclude') a ON true
LEFT JOIN LATERAL (
  SELECT json_object_agg(t.relid::oid, json_build_object('name', t.relid::regclass::text, 'bound', coalesce(pg_get_partition_constraintdef(t.relid), 'true'),
    'loaded', CASE WHEN i.xmin <> y.xmin THEN pg_relation_size(t.relid) > 0 ELSE false END)) AS partitions
  FROM audit.partitions(c.oid) t JOIN pg_inherits i ON i.inhrelid = t.relid JOIN pg_class l ON l.oid = t.relid JOIN pg_type y ON y.oid = l.reltype
  WHERE t.isleaf AND c.relkind = 'p') p ON true
LEFT JOIN LATERAL (
  SELECT json_object_agg(m.attnum, to_json(m.attmissingval) -> 0) AS filled
  FROM pg_attribute m JOIN audit.columns(t) r ON r.attnum = m.attnum AND r.rule IS NULL
  WHERE m.attrelid = c.oid AND m.atthasmissing AND NOT m.attisdropped) f ON true
WHERE t.table_id = ANY ($1::int4[])) found
