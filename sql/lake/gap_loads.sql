-- sql/lake/gap_loads.sql
-- What has been loaded, or is to be, for the repair of a gap. $gap_id.
SELECT load_id, table_id, batch_id, horizon, done_ts IS NOT NULL AS done, missing, different, extra FROM lake.sluice.load WHERE gap_id = $gap_id::UUID
