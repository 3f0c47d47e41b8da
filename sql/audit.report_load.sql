-- How far a load is: the leader calls this after each chunk, for loads that nobody asked for as well. The newest thousand that are done are kept,
-- and of each table the last of each mode.
--   progress  columns of audit.load
CREATE OR REPLACE FUNCTION audit.report_load(id uuid, progress jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  load audit.load;
BEGIN
  INSERT INTO audit.load (load_id, table_id, mode) VALUES (id, (progress ->> 'table_id')::integer, progress ->> 'mode') ON CONFLICT DO NOTHING;
  SELECT * INTO load FROM audit.load l WHERE l.load_id = id FOR UPDATE;
  load := jsonb_populate_record(load, progress);
  UPDATE audit.load l SET began_at = load.began_at, rows_expected = load.rows_expected, rows_read = load.rows_read, done_at = load.done_at, result = load.result
    WHERE l.load_id = id;
  IF load.done_at IS NOT NULL THEN
    DELETE FROM audit.load l WHERE l.done_at < (SELECT d.done_at FROM audit.load d WHERE d.done_at IS NOT NULL ORDER BY d.done_at DESC OFFSET 1000 LIMIT 1)
      AND EXISTS (SELECT FROM audit.load n WHERE n.table_id = l.table_id AND n.mode = l.mode AND n.done_at > l.done_at);
  END IF;
END
$$;
