-- Those of the loads $ids (JSON list of uuids) that the lake knows, with what they have found.
SELECT load_id, done_ts IS NOT NULL AS done, "rows", missing, different, extra FROM lake.sluice.load WHERE load_id IN (SELECT unnest($ids::UUID[]))
