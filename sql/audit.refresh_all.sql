-- What every install ends with: each tracked table's capture functions made anew, and those dropped that no table uses any more.
CREATE OR REPLACE FUNCTION audit.refresh_all() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  unused regprocedure;
BEGIN
  PERFORM audit.refresh(t.table_id, true) FROM audit.tracked_table t ORDER BY t.table_id;
  FOR unused IN
    SELECT p.oid::regprocedure FROM pg_proc p
    WHERE p.pronamespace = 'audit'::regnamespace AND p.proname ~ '^capture_\d+(_[iud])?$'
      AND NOT EXISTS (SELECT FROM audit.tracked_table t JOIN pg_class c ON c.oid = t.relid WHERE t.table_id = substring(p.proname FROM '\d+')::integer)
      AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgfoid = p.oid)  -- an orphan: audit.track removes it
  LOOP
    EXECUTE format('DROP FUNCTION %s', unused);
  END LOOP;
END
$$;
