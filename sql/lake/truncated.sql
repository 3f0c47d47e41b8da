-- sql/lake/truncated.sql
-- The staged TRUNCATEs of a table into the typed log: rows without values. $table_id.
-- {changes} the typed log · {own} the names of its own columns _op, _seq, _xid, _ts, _batch · {seq} {batch} values of two of them
INSERT INTO {changes} ({own})
SELECT s.cdc_op, {seq}, s.cdc_xid, s.cdc_ts, {batch} FROM temp.stage AS s
WHERE s.table_id = $table_id::INTEGER AND s.cdc_op = 'T'
