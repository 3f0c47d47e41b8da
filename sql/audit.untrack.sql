-- Stop to capture a table's changes: drops the triggers and the functions of this registry entry, keeps what was captured. Safe to run again.
-- Locks the table ACCESS EXCLUSIVE for an instant. Returns whether it was tracked.
CREATE OR REPLACE FUNCTION audit.untrack(rel regclass) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  gone integer;
  found_trigger record;
  capture regprocedure;
BEGIN
  UPDATE audit.tracked_table SET relid = NULL WHERE relid = rel RETURNING table_id INTO gone;
  IF gone IS NULL THEN
    RETURN false;
  END IF;
  FOR found_trigger IN
    SELECT t.tgname, t.tgrelid::regclass AS on_table
    FROM (SELECT rel AS relid UNION SELECT p.relid FROM audit.partitions(rel) p) r
    JOIN pg_trigger t ON t.tgrelid = r.relid AND t.tgparentid = 0
    JOIN pg_proc f ON f.oid = t.tgfoid AND f.pronamespace = 'audit'::regnamespace
    WHERE t.tgname LIKE 'sluice\_%\_' || gone
  LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', found_trigger.tgname, found_trigger.on_table);
  END LOOP;
  FOR capture IN SELECT f FROM audit.capture_functions(gone) f LOOP
    EXECUTE format('DROP FUNCTION %s', capture);
  END LOOP;
  RETURN true;
END
$$;
