-- Log the changes of these tables again. The registry keeps their pause until audit.forget_pause. Not paused: nothing happens.
CREATE OR REPLACE FUNCTION audit.resume(ids integer[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  tid integer;
BEGIN
  FOR tid IN
    SELECT t.table_id FROM audit.tracked_table t
    WHERE t.table_id = ANY (ids) AND t.paused_at IS NOT NULL AND t.resumed_at IS NULL
    ORDER BY t.table_id FOR UPDATE
  LOOP
    UPDATE audit.tracked_table t SET resumed_at = clock_timestamp() WHERE t.table_id = tid;
    PERFORM audit.refresh(tid);
  END LOOP;
END
$$;
