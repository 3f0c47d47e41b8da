-- Put the sentinel back after a crash emptied the buffer, under the new epoch `next`. Nothing happens while it stands.
-- The caller names it, so that the lake knew it before: a daemon that finds it here finds no stranger.
CREATE OR REPLACE FUNCTION audit.begin_epoch(next uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM FROM audit.epoch FOR UPDATE;
  IF NOT EXISTS (SELECT FROM audit.sentinel s JOIN audit.epoch e USING (epoch)) THEN
    UPDATE audit.epoch SET epoch = next, started_at = clock_timestamp();
    DELETE FROM audit.sentinel;
    INSERT INTO audit.sentinel SELECT e.epoch FROM audit.epoch e;
  END IF;
END
$$;
