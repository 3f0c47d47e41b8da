-- Stop to log the changes of these tables, for the disk's sake: their capture functions are replaced by ones that do nothing, which locks no table.
-- The registry remembers it, so that whatever makes the functions anew (audit.refresh, audit.track, an install) leaves them so until audit.resume.
-- TRUNCATEs are still logged: a row each. A table whose pause has ended but is not forgotten yet (audit.forget_pause) goes on with the one that it had:
-- what was lost then is still to be named. Paused or untracked already: nothing happens.
CREATE OR REPLACE FUNCTION audit.pause(ids integer[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  -- Before the first change that is not logged: it is captured until this commits.
  began timestamptz := clock_timestamp();
  tid integer;
BEGIN
  FOR tid IN
    SELECT t.table_id FROM audit.tracked_table t
    WHERE t.table_id = ANY (ids) AND t.relid IS NOT NULL AND (t.paused_at IS NULL OR t.resumed_at IS NOT NULL)
    ORDER BY t.table_id FOR UPDATE
  LOOP
    UPDATE audit.tracked_table t SET paused_at = coalesce(t.paused_at, began), resumed_at = NULL, resumed_xid = NULL WHERE t.table_id = tid;
    PERFORM audit.refresh(tid);
  END LOOP;
END
$$;
