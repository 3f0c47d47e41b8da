-- The expression of a row's JSON text; NULL where the row is too large for that (see audit.row_json, which also pins what the text must not depend on: the
-- functions that are called for each row pin only what their table's types need).
--   source  the row: an alias with .*, NEW or OLD
CREATE OR REPLACE FUNCTION audit.image_sql(tracked audit.tracked_table, source text) RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT format(CASE WHEN tracked.capture = 'row' AND NOT audit.has_rules(tracked.rules) THEN 'audit.row_json(%1$s)'
    ELSE 'CASE WHEN pg_column_size(%1$s) <= 131072 THEN row_to_json(%1$s) ELSE audit.row_json(%1$s) END' END, source)
$$;
