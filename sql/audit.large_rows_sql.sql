-- A statement that logs the rows too large for the buffer: columns above 64 kB as null, named with their stored bytes in "_sluice_too_large".
--   rel     the table that the rows have the columns of
--   source  a FROM item with alias r: the rows
-- The statement's parameters: $1 cdc_op, $2 table_id. Returns: its text.
CREATE OR REPLACE FUNCTION audit.large_rows_sql(rel regclass, source text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT format(
    'INSERT INTO audit.cdc (cdc_op, table_id, data) SELECT $1::"char", $2, row_to_json(s.*) FROM (SELECT %s, json_strip_nulls(json_build_object(%s)) AS "_sluice_too_large" FROM %s'
    || ' WHERE pg_column_size(r.*) > 131072 AND audit.row_json(r.*) IS NULL) s',
    string_agg(CASE WHEN a.attlen = -1 THEN format('CASE WHEN pg_column_size(r.%1$I) <= 65536 THEN r.%1$I END AS %1$I', a.attname) ELSE format('r.%I', a.attname) END, ', ' ORDER BY a.attnum),
    coalesce(string_agg(format('%1$L, CASE WHEN pg_column_size(r.%1$I) > 65536 THEN pg_column_size(r.%1$I) END', a.attname), ', ' ORDER BY a.attnum) FILTER (WHERE a.attlen = -1 AND a.varlena_number <= 50), ''),
    source)
  FROM (
    SELECT attname, attnum, attlen, count(*) FILTER (WHERE attlen = -1) OVER (ORDER BY attnum) AS varlena_number
    FROM pg_attribute WHERE attrelid = rel AND attnum > 0 AND NOT attisdropped
  ) a
$$;
