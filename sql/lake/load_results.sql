-- sql/lake/load_results.sql
-- What loads have found that are done. $ids: JSON list of uuids.
SELECT load_id, "rows", missing, different, extra FROM lake.sluice.load WHERE done_ts IS NOT NULL AND load_id IN (SELECT unnest($ids::UUID[]))
