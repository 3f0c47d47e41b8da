-- The changes of the batch {batch}; none when it is not the one that is open.
-- A large batch is read in the lake's transaction, and then this one waits for its end: a limit to that, set by whoever runs the database, would have the
-- lake's commit fail for ever.
SELECT cdc_seq, cdc_xid::text::int8 AS cdc_xid, cdc_ts, cdc_op::text AS cdc_op, table_id, data, context FROM audit.cdc_old
WHERE EXISTS (SELECT FROM audit.batch b WHERE b.state = 'open' AND b.id = '{batch}')
  AND (SELECT set_config('idle_in_transaction_session_timeout', '0', true)) IS NOT NULL
