-- sql/lake/remove_logged.sql
-- A D in the typed log for each row of the state that a partition took with it. $seq, $batch_id.
-- {changes} {state} · {own} our columns _op, _seq, _xid, _ts, _batch · {columns} the state's columns · {gone} the condition on t
INSERT INTO {changes} ({own}, {columns})
SELECT 'D', $seq::BIGINT, NULL, NULL, $batch_id::BIGINT, {columns} FROM {state} AS t WHERE {gone}
