-- The expression of a trigger's row as JSON, with the table's rules applied; NULL where it is too large (see audit.row_json).
--   source  NEW or OLD
-- The constant makes the expression's plan depend on the table: PL/pgSQL raises an error where the type of NEW.column is not what it planned for.
CREATE OR REPLACE FUNCTION audit.row_image_sql(tracked audit.tracked_table, source text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN audit.has_rules(tracked.rules)
    THEN format('(SELECT %s FROM (SELECT %s OFFSET 0) n WHERE %L::regclass IS NOT NULL)', audit.image_sql(tracked, 'n.*'), audit.columns_sql(tracked, source, 'sluice.hash_key'), tracked.relid::oid::text)
    ELSE format('CASE WHEN %s AND pg_catalog.pg_column_size(%s) OPERATOR(pg_catalog.<=) 131072 THEN pg_catalog.row_to_json(%2$s) ELSE audit.row_json(%2$s) END',
      audit.types_are_sql(tracked), source) END
$$;
