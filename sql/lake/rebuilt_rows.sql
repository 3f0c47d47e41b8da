-- sql/lake/rebuilt_rows.sql
-- Let what the batches brought add up to the rows of a state that was made anew. $table_id, $rows.
UPDATE lake.sluice.batch_table AS b SET state_rows = state_rows + n.missing
FROM (
  SELECT max(batch_id) AS batch_id, $rows::BIGINT - sum(state_rows)::BIGINT AS missing FROM lake.sluice.batch_table WHERE table_id = $table_id::INTEGER
) AS n
WHERE b.table_id = $table_id::INTEGER AND b.batch_id = n.batch_id AND n.missing <> 0
