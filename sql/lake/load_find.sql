-- Those of some loads that the lake knows, with what they have found. {ids}
SELECT load_id, done_ts IS NOT NULL AS done, "rows", missing, different, extra FROM lake.sluice.load WHERE load_id IN ({ids})
