-- The changes of the batch {batch}; none when it is not the one that is open.
SELECT cdc_seq, cdc_xid::text::int8 AS cdc_xid, cdc_ts, cdc_op::text AS cdc_op, table_id, data, context FROM audit.cdc_old
WHERE EXISTS (SELECT FROM audit.batch b WHERE b.state = 'open' AND b.id = '{batch}')
