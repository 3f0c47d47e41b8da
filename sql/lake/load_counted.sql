-- sql/lake/load_counted.sql
-- What a load brought for its table, so that the rows which batches brought add up to those of the state. $batch_id, $table_id, $changes, $rows: the state's.
INSERT INTO lake.sluice.batch_table
SELECT $batch_id::BIGINT, $table_id::INTEGER, $changes::BIGINT, NULL, NULL,
  $rows::BIGINT - coalesce((SELECT sum(state_rows) FROM lake.sluice.batch_table WHERE table_id = $table_id::INTEGER), 0)::BIGINT
