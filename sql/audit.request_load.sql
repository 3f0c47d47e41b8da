-- Ask whoever leads to load a table (see audit.load in the migration). Returns the load's id.
--   mode  compare | full | reset | verify | repair
CREATE OR REPLACE FUNCTION audit.request_load(tid integer, mode text) RETURNS uuid
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
  INSERT INTO audit.load (table_id, mode) VALUES (tid, mode) RETURNING load_id
$$;
