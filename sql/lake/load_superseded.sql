-- sql/lake/load_superseded.sql
-- Loaded rows that were changed meanwhile leave the typed log. $batch_id: the load's number.
-- USING, as in state_delete.sql: with EXISTS a load of two million rows, a million of them changed meanwhile, took the daemon to 620 MB, so to 490.
-- {changes} the typed log · {op} {batch} our own columns · {same_key} c and l have the same key
DELETE FROM {changes} AS l USING temp.load_changed AS c
WHERE l.{batch} = $batch_id::BIGINT AND l.{op} = 'R' AND {same_key}
