-- sql/lake/load_disturb.sql
-- A load at work of this table starts over. $table_id, $batch_id: the batch that came in between.
UPDATE lake.sluice.load SET disturbed = $batch_id::BIGINT WHERE table_id = $table_id::INTEGER AND done_ts IS NULL AND batch_id IS NOT NULL
