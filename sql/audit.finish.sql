-- The lake holds this batch: empty cdc_old and mark it done, in one transaction. A batch that is done already: nothing happens.
-- The row lock and the check of id and state are the fence against a daemon that was asleep: it must not empty the next batch.
--   batch_rows  the rows that reached the lake; another number in cdc_old (other than none, after a crash) raises data_corrupted
-- Every hundredth batch also takes the rows of old batches away, by the primary key: the newest 10,000 stay. A lake that is further behind than that
-- is still seen to be behind, for sql/source/missed.sql needs no more than one batch above the lake's last; a daemon that asks for one that is gone is
-- told that it isn't known, and looks again.
-- TRUNCATE where the lock is had within lock_timeout_ms, else DELETE (pg_dump reads the buffer): rows are gone either way.
CREATE OR REPLACE FUNCTION audit.finish(batch_id uuid, batch_rows bigint, lock_timeout_ms integer DEFAULT 50) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  batch audit.batch;
  present bigint;
BEGIN
  SELECT * INTO batch FROM audit.batch b WHERE b.id = batch_id FOR UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'the source does not know batch %', batch_id USING ERRCODE = 'no_data_found';
  ELSIF batch.state = 'done' THEN
    RETURN;
  END IF;
  PERFORM set_config('lock_timeout', lock_timeout_ms || 'ms', true);
  SELECT count(*) INTO present FROM audit.cdc_old;
  IF present NOT IN (0, batch_rows) THEN
    RAISE EXCEPTION 'batch % has % rows in the lake and % in audit.cdc_old', batch_id, batch_rows, present USING ERRCODE = 'data_corrupted';
  END IF;
  BEGIN
    TRUNCATE audit.cdc_old;
  EXCEPTION WHEN lock_not_available THEN
    DELETE FROM audit.cdc_old;
  END;
  UPDATE audit.batch SET state = 'done', done_at = clock_timestamp(), rows = batch_rows WHERE id = batch_id;
  IF batch.ordinal % 100 = 0 THEN
    DELETE FROM audit.batch b WHERE b.ordinal <= batch.ordinal - 10000 AND b.state = 'done';
  END IF;
END
$$;
