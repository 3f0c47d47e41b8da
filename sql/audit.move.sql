-- Take the committed rows of the buffer away as a batch without a lock that a writer could wait for: delete them from cdc, insert them
-- into cdc_old. For times when a long transaction (or pg_dump) keeps audit.swap from its lock. One snapshot, so no transaction is split.
-- Returns the open batch; NULL if there was nothing to move. The dead rows stay until a swap succeeds and truncates.
CREATE OR REPLACE FUNCTION audit.move(lock_timeout_ms integer DEFAULT 50) RETURNS audit.batch
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  cut timestamptz;
BEGIN
  PERFORM audit.begin_change_of_hands(lock_timeout_ms);
  cut := clock_timestamp();
  WITH moved AS (DELETE FROM audit.cdc RETURNING *)
    INSERT INTO audit.cdc_old SELECT * FROM moved;
  IF NOT FOUND AND NOT EXISTS (SELECT FROM audit.cdc_old) THEN
    RETURN NULL;
  END IF;
  RETURN audit.open_batch('move', cut);
END
$$;
