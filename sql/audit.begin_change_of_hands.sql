-- What swap and move have in common: one at a time, no batch open, read committed.
-- Another isolation level would make the move fail an application's transaction, or miss rows committed after the snapshot.
-- synchronous_commit off: the commit of a swap happens under the lock that writers wait for, and must not wait for a disk or a standby.
-- audit.settle makes the batch durable before anyone reads it.
CREATE OR REPLACE FUNCTION audit.begin_change_of_hands(lock_timeout_ms integer) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'audit.swap and audit.move run under READ COMMITTED only' USING ERRCODE = 'invalid_transaction_state';
  END IF;
  PERFORM set_config('lock_timeout', lock_timeout_ms || 'ms', true), set_config('synchronous_commit', 'off', true);
  LOCK TABLE audit.batch IN SHARE ROW EXCLUSIVE MODE;
  IF EXISTS (SELECT FROM audit.batch WHERE state = 'open') THEN
    RAISE EXCEPTION 'a batch is open: finish it first' USING ERRCODE = 'object_in_use';
  END IF;
END
$$;
