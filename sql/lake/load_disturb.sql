-- sql/lake/load_disturb.sql
-- A load of this table that is at work starts over, and one that waits makes a held state anew when it begins: its key may be its first. $table_id, $batch_id: the batch that came in between.
UPDATE lake.sluice.load SET disturbed = $batch_id::BIGINT WHERE table_id = $table_id::INTEGER AND done_ts IS NULL
