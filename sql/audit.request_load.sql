-- Ask whoever leads to load a table (see audit.load in the migration). Returns the load's id: that of one that waits already and is the same, or a new one.
--   mode    compare | full | reset | verify | repair
--   sample  of compare, verify, repair: percent of the rows that are read, about; NULL: all
CREATE OR REPLACE FUNCTION audit.request_load(tid integer, mode text, sample real DEFAULT NULL) RETURNS uuid
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
  WITH waiting AS (  -- one that was taken up may have read rows already
    SELECT l.load_id FROM audit.load l
    WHERE l.table_id = tid AND l.mode = request_load.mode AND l.sample IS NOT DISTINCT FROM request_load.sample AND l.began_at IS NULL AND l.done_at IS NULL
    LIMIT 1
  ), made AS (
    INSERT INTO audit.load (table_id, mode, sample) SELECT tid, request_load.mode, request_load.sample WHERE NOT EXISTS (SELECT FROM waiting) RETURNING load_id
  )
  SELECT load_id FROM made UNION ALL SELECT load_id FROM waiting
$$;
