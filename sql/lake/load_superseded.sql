-- sql/lake/load_superseded.sql
-- Loaded rows that were changed meanwhile leave the typed log. $batch_id: the load's number.
-- {changes} the typed log · {op} {batch} our own columns · {same_key} c and l have the same key
DELETE FROM {changes} AS l
WHERE {batch} = $batch_id::BIGINT AND {op} = 'R' AND EXISTS (FROM temp.load_changed AS c WHERE {same_key})
