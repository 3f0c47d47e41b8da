-- The pauses that have ended and are to be named as gaps: epoch, when they began and ended, the tables, and a transaction number such that every
-- transaction which may have written without being logged has a lower one. Call it in a transaction of its own, after that of audit.resume.
-- No rows while a statement that began before the resume may still log nothing and has no number yet: it looked the function up when it had locked its
-- table, and PostgreSQL gives it a number with its first row. So who holds the lock of a writer and has no number is waited for; who locks from now on
-- sees the function as it is. End and number are fixed by the first call that returns them: another one must not name another gap.
-- Not pg_snapshot_xmax(): that may be below the number of a transaction that runs.
CREATE OR REPLACE FUNCTION audit.paused_spans() RETURNS TABLE (epoch uuid, paused_at timestamptz, resumed_at timestamptz, table_ids integer[], after_xid xid8)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM FROM audit.tracked_table t WHERE t.resumed_at IS NOT NULL AND t.resumed_xid IS NULL FOR UPDATE;
  IF FOUND AND NOT EXISTS (
    SELECT FROM audit.tracked_table t
    CROSS JOIN LATERAL (SELECT t.relid::oid AS relid UNION SELECT p.relid FROM audit.partitions(t.relid) p) r
    JOIN pg_locks l ON l.locktype = 'relation' AND l.relation = r.relid AND l.mode = 'RowExclusiveLock' AND l.granted
    WHERE t.resumed_at IS NOT NULL AND t.resumed_xid IS NULL
      AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
      AND NOT EXISTS (SELECT FROM pg_locks x WHERE x.virtualtransaction = l.virtualtransaction AND x.locktype = 'transactionid' AND x.mode = 'ExclusiveLock' AND x.granted)
  ) THEN
    UPDATE audit.tracked_table t SET resumed_at = clock_timestamp(), resumed_xid = pg_current_xact_id()
      WHERE t.resumed_at IS NOT NULL AND t.resumed_xid IS NULL;
  END IF;
  RETURN QUERY
    SELECT (SELECT e.epoch FROM audit.epoch e), t.paused_at, max(t.resumed_at), array_agg(t.table_id ORDER BY t.table_id), t.resumed_xid
    FROM audit.tracked_table t WHERE t.resumed_xid IS NOT NULL GROUP BY t.paused_at, t.resumed_xid;
END
$$;
