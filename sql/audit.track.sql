-- Start to capture a table's changes, or refresh its triggers (new partitions, another key). Safe to run again.
-- Locks the table SHARE ROW EXCLUSIVE: it waits for open writers and makes new ones wait meanwhile, so set lock_timeout and retry.
-- Returns the registry's row. Raises feature_not_supported with the reason for a table that can't be tracked.
CREATE OR REPLACE FUNCTION audit.track(rel regclass) RETURNS audit.tracked_table
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  why text := audit.refusal(rel);
  tracked audit.tracked_table;
  wanted record;
BEGIN
  IF why IS NOT NULL THEN
    RAISE EXCEPTION '% can''t be tracked: %', rel, why USING ERRCODE = 'feature_not_supported';
  END IF;
  EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', rel);
  INSERT INTO audit.tracked_table AS t (relid, schema_name, table_name, capture, fingerprint)
    SELECT rel, n.nspname, c.relname, CASE c.relkind WHEN 'p' THEN 'row' ELSE 'statement' END, audit.fingerprint(rel)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = rel
    ON CONFLICT (relid) DO UPDATE SET schema_name = excluded.schema_name, table_name = excluded.table_name, fingerprint = excluded.fingerprint
    RETURNING * INTO tracked;
  FOR wanted IN SELECT * FROM audit.triggers(tracked.table_id, rel, tracked.capture, audit.key_of(rel)) LOOP
    EXECUTE wanted.statement;
  END LOOP;
  IF audit.key_of(rel) IS NULL AND EXISTS (SELECT FROM pg_trigger WHERE tgrelid = rel AND tgname = 'sluice_key_' || tracked.table_id) THEN
    EXECUTE format('DROP TRIGGER %I ON %s', 'sluice_key_' || tracked.table_id, rel);
  END IF;
  PERFORM audit.drop_orphans(rel);
  DELETE FROM audit.fault WHERE table_id = tracked.table_id;
  RETURN tracked;
END
$$;
