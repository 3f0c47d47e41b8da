-- The condition that two rows have the same key. A key's identity is its text: under a case-insensitive collation 'A' and 'a' are equal and yet two keys
-- of the lake. The key's own operator comes first, for its index; integers and uuid have one text for each value.
--   a, b  the aliases of the rows
-- NULL for a table without a key.
CREATE OR REPLACE FUNCTION audit.same_key_sql(tracked audit.tracked_table, a text, b text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT string_agg(concat_ws(' AND ',
      format('%s.%I OPERATOR(%I.%s) %s.%2$I', a, k.name, op.nspname, op.oprname, b),
      CASE WHEN op.oprname IS NULL OR c.atttypid NOT IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'uuid'::regtype)
        THEN format('%s.%I::pg_catalog.text OPERATOR(pg_catalog.=) %s.%2$I::pg_catalog.text COLLATE pg_catalog."C"', a, k.name, b) END), ' AND ' ORDER BY k.position)
  FROM audit.key_columns(tracked) k
  LEFT JOIN pg_attribute c ON c.attrelid = tracked.relid AND c.attnum = k.attnum
  LEFT JOIN LATERAL (
    SELECT n.nspname, o.oprname
    FROM pg_opclass c
    JOIN pg_amop m ON m.amopfamily = c.opcfamily AND m.amoplefttype = c.opcintype AND m.amoprighttype = c.opcintype AND m.amopstrategy = 3
    JOIN pg_operator o ON o.oid = m.amopopr
    JOIN pg_namespace n ON n.oid = o.oprnamespace
    WHERE c.oid = k.opclass) op ON true
$$;
