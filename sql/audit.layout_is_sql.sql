-- The condition under which a capture function may name columns: see audit.layout.
CREATE OR REPLACE FUNCTION audit.layout_is_sql(tracked audit.tracked_table) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT format('audit.layout(%s, %L::pg_catalog.regclass) OPERATOR(pg_catalog.=) %L', tracked.table_id, tracked.relid::oid::text, audit.layout(tracked.table_id, tracked.relid))
$$;
