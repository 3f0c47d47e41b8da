-- The expression of a trigger's row (NEW or OLD) as JSON, with the table's rules applied.
-- The constant makes the expression's plan depend on the table: PL/pgSQL raises an error where the type of NEW.column is not what it planned for.
CREATE OR REPLACE FUNCTION audit.row_image_sql(tracked audit.tracked_table, source text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN audit.has_rules(tracked.rules)
    THEN format('(SELECT %s FROM (SELECT %s OFFSET 0) n WHERE %L::regclass IS NOT NULL)', audit.image_sql('n.*'), audit.columns_sql(tracked, source, 'sluice.hash_key'), tracked.relid::oid::text)
    ELSE audit.image_sql(source) END
$$;
