-- Whether any column of a table is excluded or masked: then only listed columns are logged.
CREATE OR REPLACE FUNCTION audit.has_rules(rules jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT EXISTS (SELECT FROM jsonb_each(rules) r WHERE r.value ? 'rule')
$$;
