-- Triggers of ours that belong to no table in the registry: what a restore leaves where audit.tracked_table did not come along.
-- They still write to the buffer, under an id that nobody knows. Returns the table and the trigger's name.
CREATE OR REPLACE FUNCTION audit.orphans() RETURNS TABLE (on_table regclass, trigger_name name)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT t.tgrelid::regclass, t.tgname
  FROM pg_trigger t JOIN pg_proc f ON f.oid = t.tgfoid
  WHERE f.pronamespace = 'audit'::regnamespace AND t.tgparentid = 0 AND t.tgname ~ '^sluice_.*_\d+$'
    AND NOT EXISTS (SELECT FROM audit.tracked_table r WHERE r.relid IS NOT NULL AND r.table_id = substring(t.tgname FROM '\d+$')::integer)
$$;
