-- Put the sentinel back after a crash emptied the buffer, under a new epoch. Nothing happens while it stands.
CREATE OR REPLACE FUNCTION audit.begin_epoch() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM FROM audit.epoch FOR UPDATE;
  IF NOT EXISTS (SELECT FROM audit.sentinel s JOIN audit.epoch e USING (epoch)) THEN
    UPDATE audit.epoch SET epoch = gen_random_uuid(), started_at = clock_timestamp();
    DELETE FROM audit.sentinel;
    INSERT INTO audit.sentinel SELECT e.epoch FROM audit.epoch e;
  END IF;
END
$$;
