-- sql/lake/load_disturb.sql
-- Loads of these tables that are at work start over, and those that wait make a held state anew when they begin: its key may be its first.
-- $table_ids: JSON list · $batch_id: the batch that came in between
UPDATE lake.sluice.load SET disturbed = $batch_id::BIGINT
WHERE table_id IN (SELECT unnest(from_json($table_ids, '["INTEGER"]'))) AND done_ts IS NULL
