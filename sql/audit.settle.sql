-- Make the open batch durable: its commit waits for the disk (and for standbys, if the server is set so), the swap's did not.
-- Only after it may the batch be read: the lake must never be ahead of a source that forgets the swap in a crash.
CREATE OR REPLACE FUNCTION audit.settle(batch_id uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF current_setting('synchronous_commit') = 'off' THEN
    PERFORM set_config('synchronous_commit', 'on', true);
  END IF;
  UPDATE audit.batch SET settled_at = clock_timestamp() WHERE id = batch_id AND state = 'open';
  IF NOT FOUND THEN
    RAISE EXCEPTION 'batch % is not open', batch_id USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
END
$$;
