-- sql/lake/truncated.sql
-- The TRUNCATEs of a batch into the typed log: rows without values. $table_id, $batch_id.
-- {changes} the typed log · {own} the names of its own columns _op, _seq, _xid, _ts, _batch
INSERT INTO {changes} ({own})
SELECT s.cdc_op, s.cdc_seq, s.cdc_xid, s.cdc_ts, $batch_id::BIGINT FROM temp.stage AS s
WHERE s.table_id = $table_id::INTEGER AND s.cdc_op = 'T'
