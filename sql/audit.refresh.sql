-- Make a table's capture functions (audit.capture_bodies) anew out of what its table and rules are now, where they are not so already. Takes no lock on
-- the table: sessions go on with the function as it was until this commits. Not needed for a change to be captured right after DDL, only for
-- it to be captured cheaply again; a daemon may call it for each table that audit.status says is stale.
-- The rules' column names follow renames, and after a restore their numbers follow the names.
--   always  also where the text is the same: its settings may be of an older version
-- That of a table that is paused stays one that logs nothing (audit.pause).
-- Returns whether any was made anew; false as well for a table that is not tracked or was dropped.
CREATE OR REPLACE FUNCTION audit.refresh(tid integer, always boolean DEFAULT false) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  tracked audit.tracked_table;
  settings text;
  wanted record;
  tracker name;
  made boolean := false;
BEGIN
  SELECT t.* INTO tracked FROM audit.tracked_table t JOIN pg_class c ON c.oid = t.relid WHERE t.table_id = tid FOR UPDATE OF t;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  UPDATE audit.tracked_table t SET rules = now.rules, attnums_of = tracked.relid::oid
    FROM (
      SELECT jsonb_object_agg(coalesce(c.attnum::text, r.key), r.value || jsonb_build_object('name', coalesce(c.name, r.value ->> 'name'))) AS rules,
        count(c.attnum) = count(*) AS complete
      FROM jsonb_each(tracked.rules) r
      LEFT JOIN audit.columns(tracked) c ON CASE WHEN tracked.attnums_of = tracked.relid::oid THEN r.key::smallint = c.attnum ELSE r.value ->> 'name' = c.name END
    ) now
    WHERE t.table_id = tid AND now.rules <> tracked.rules AND (tracked.attnums_of = tracked.relid::oid OR now.complete);
  SELECT t.* INTO tracked FROM audit.tracked_table t WHERE t.table_id = tid;
  settings := audit.capture_settings(tracked);
  FOR wanted IN
    SELECT f.name, f.body FROM audit.capture_bodies(tracked) f
    WHERE always OR NOT EXISTS (SELECT FROM pg_proc p WHERE p.oid = to_regprocedure(format('audit.%I()', f.name)) AND p.prosrc = f.body)
  LOOP
    EXECUTE format('CREATE OR REPLACE FUNCTION audit.%I() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER %s AS %L', wanted.name, settings, wanted.body);
    EXECUTE format('REVOKE ALL ON FUNCTION audit.%I() FROM PUBLIC', wanted.name);
    FOR tracker IN  -- who may track makes triggers, which takes the right to the function
      SELECT r.rolname FROM pg_proc p CROSS JOIN LATERAL aclexplode(p.proacl) a JOIN pg_roles r ON r.oid = a.grantee
      WHERE p.oid = 'audit.track(regclass, jsonb, boolean)'::regprocedure AND a.privilege_type = 'EXECUTE' AND a.grantee <> p.proowner
    LOOP
      EXECUTE format('GRANT EXECUTE ON FUNCTION audit.%I() TO %I', wanted.name, tracker);
    END LOOP;
    made := true;
  END LOOP;
  RETURN made;
END
$$;
