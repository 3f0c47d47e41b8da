-- sql/lake/ended.sql
-- A table that is gone: a T of our own ends the history of its rows. $batch_id, $seq: above those of its own changes.
-- {changes} the typed log · {own} our columns _op, _seq, _xid, _ts, _batch
INSERT INTO {changes} ({own}) VALUES ('T', $seq::BIGINT, NULL, NULL, $batch_id::BIGINT)
