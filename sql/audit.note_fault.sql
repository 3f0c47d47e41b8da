-- Note that capture could not read a table's rows again and logged a statement as it came, so that its order is not proved.
-- At most one row a table and minute, for this runs inside the application's statement. audit.track takes them away.
CREATE OR REPLACE FUNCTION audit.note_fault(tid integer, code text) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
  INSERT INTO audit.fault (table_id, sqlstate)
    SELECT tid, code
    WHERE NOT EXISTS (SELECT FROM audit.fault f WHERE f.table_id = tid AND f.sqlstate = code AND f.noted_at > clock_timestamp() - interval '1 minute')
$$;
