-- A statement that logs the rows too large for the buffer: columns above 64 kB as null, named with their stored bytes in "_sluice_too_large".
--   source  a FROM item with alias r: the rows
-- The statement's parameters: $1 the key for hashes, $2 the context. Returns: its text.
CREATE OR REPLACE FUNCTION audit.large_rows_sql(tracked audit.tracked_table, op text, source text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT format(
    'INSERT INTO audit.cdc (cdc_op, table_id, data%s) SELECT %L::"char", %s, audit.row_json(s.*)%s'
    || ' FROM (SELECT %s json_strip_nulls(json_build_object(%s)) AS "_sluice_too_large" FROM (SELECT %s FROM %s OFFSET 0) r'
    || ' WHERE pg_column_size(r.*) > 131072 AND audit.row_json(r.*) IS NULL) s',
    CASE WHEN tracked.context THEN ', context' END, op, tracked.table_id, CASE WHEN tracked.context THEN ', $2' END,
    string_agg(CASE WHEN c.varlena THEN format('CASE WHEN pg_column_size(r.%1$I) <= 65536 THEN r.%1$I END AS %1$I,', c.name) ELSE format('r.%I,', c.name) END, ' ' ORDER BY c.attnum),
    coalesce(string_agg(format('%1$L, CASE WHEN pg_column_size(r.%1$I) > 65536 THEN pg_column_size(r.%1$I) END', c.name), ', ' ORDER BY c.attnum)
      FILTER (WHERE c.varlena AND c.varlena_number <= 50), ''),
    audit.columns_sql(tracked, 'r', '$1'),
    source)
  FROM (
    SELECT c.attnum, c.name, v.varlena, count(*) FILTER (WHERE v.varlena) OVER (ORDER BY c.attnum) AS varlena_number
    FROM audit.columns(tracked) c
    LEFT JOIN pg_attribute a ON a.attrelid = tracked.relid AND a.attnum = c.attnum
    CROSS JOIN LATERAL (SELECT c.rule IS NOT NULL OR coalesce(a.attlen, -1) = -1 AS varlena) v
    WHERE c.rule IS DISTINCT FROM 'exclude'
  ) c
$$;
