-- Whether a table's capture function was made for another key or other columns than it has now: its changes are captured right, but the slow way.
CREATE OR REPLACE FUNCTION audit.is_stale(tid integer) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT EXISTS (SELECT FROM audit.capture_bodies(t) f WHERE NOT EXISTS (
    SELECT FROM pg_proc p WHERE p.oid = to_regprocedure(format('audit.%I()', f.name)) AND p.prosrc = f.body))
  FROM audit.tracked_table t JOIN pg_class c ON c.oid = t.relid
  WHERE t.table_id = tid
$$;
