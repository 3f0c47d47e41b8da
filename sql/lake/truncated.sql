-- sql/lake/truncated.sql
-- The staged TRUNCATEs of a whole table into the typed log: rows without values. That of a partition is there as a D of each row that it held: as a T it
-- would end, in the history, all rows of the table. $table_id.
-- {changes} the typed log · {own} the names of its own columns _op, _seq, _xid, _ts, _batch · {seq} {batch} values of two of them
INSERT INTO {changes} ({own})
SELECT s.cdc_op, {seq}, s.cdc_xid, s.cdc_ts, {batch} FROM temp.stage AS s
WHERE s.table_id = $table_id::INTEGER AND s.cdc_op = 'T' AND (s.data ->> 'bound') IS NULL
