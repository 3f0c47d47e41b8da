-- The tables that are tracked and still there, with what `track` has recorded of them: every column with its type and its rule (null: captured as it is),
-- the names of the key, and what the lake is told.
SELECT t.table_id AS id, n.nspname AS schema, c.relname AS name, t.options, k.names AS key, coalesce(a.columns, '[]') AS columns
FROM audit.tracked_table t
JOIN pg_class c ON c.oid = t.relid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN LATERAL (SELECT json_agg(k.name ORDER BY k.position) AS names FROM audit.key_columns(t) k) k ON true
LEFT JOIN LATERAL (
  SELECT jsonb_agg(d.value || jsonb_build_object('rule', r.rule) ORDER BY r.attnum) AS columns
  FROM jsonb_array_elements(audit.column_types(t.relid)) d JOIN audit.columns(t) r ON r.attnum = (d.value ->> 'attnum')::smallint) a ON true
ORDER BY 2, 3
