-- The expression of a row's JSON text; NULL where the row is too large for that (see audit.row_json).
CREATE OR REPLACE FUNCTION audit.image_sql(source text) RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT format('CASE WHEN pg_column_size(%1$s) <= 131072 THEN row_to_json(%1$s) ELSE audit.row_json(%1$s) END', source)
$$;
