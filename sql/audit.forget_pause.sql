-- The lake has named the gap that audit.paused_spans gave by this number. A table that was paused again meanwhile keeps its pause.
CREATE OR REPLACE FUNCTION audit.forget_pause(xid xid8) RETURNS void
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
  UPDATE audit.tracked_table SET paused_at = NULL, resumed_at = NULL, resumed_xid = NULL WHERE resumed_xid = xid
$$;
