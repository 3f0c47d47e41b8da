-- The condition under which a row's capture function has pinned all settings that it needs: see audit.types_of.
CREATE OR REPLACE FUNCTION audit.types_are_sql(tracked audit.tracked_table) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT format('audit.types_of(%L::pg_catalog.regclass) OPERATOR(pg_catalog.=) %L', tracked.relid::oid::text, audit.types_of(tracked.relid))
$$;
