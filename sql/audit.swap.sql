-- Take what the buffer holds away as a batch: exchange the names of cdc and cdc_old. Call it in a transaction of its own.
-- Waits at most lock_timeout_ms for the lock; writers wait as long at most. Raises lock_not_available (55P03) when a transaction holds
-- the buffer longer: try again with jitter, then audit.move. Returns the open batch; NULL, and nothing is done, if the buffer is empty.
-- cdc_old is locked first: were it the second, a reader of it could make writers wait while this holds cdc.
CREATE OR REPLACE FUNCTION audit.swap(lock_timeout_ms integer DEFAULT 50) RETURNS audit.batch
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM audit.begin_change_of_hands(lock_timeout_ms);
  LOCK TABLE audit.cdc_old IN ACCESS EXCLUSIVE MODE;
  IF EXISTS (SELECT FROM audit.cdc_old) THEN  -- put there by hand: deliver it rather than lose it
    RETURN audit.open_batch('move', clock_timestamp());
  END IF;
  LOCK TABLE audit.cdc IN ACCESS EXCLUSIVE MODE;
  IF NOT EXISTS (SELECT FROM audit.cdc) THEN
    RETURN NULL;
  END IF;
  ALTER TABLE audit.cdc RENAME TO cdc_swap;
  ALTER TABLE audit.cdc_old RENAME TO cdc;
  ALTER TABLE audit.cdc_swap RENAME TO cdc_old;
  RETURN audit.open_batch('swap', clock_timestamp());
END
$$;
