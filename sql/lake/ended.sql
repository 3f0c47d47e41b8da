-- sql/lake/ended.sql
-- A table that is gone: a T of our own ends the history of its rows. $batch_id, $table_id.
-- {changes} the typed log · {own} our columns _op, _seq, _xid, _ts, _batch
-- Its sequence is that of the table's last change: one that came in its place in the same batch has later ones.
INSERT INTO {changes} ({own})
SELECT 'T', coalesce(max(s.cdc_seq), 0), NULL, NULL, $batch_id::BIGINT FROM temp.stage AS s WHERE s.table_id = $table_id::INTEGER
