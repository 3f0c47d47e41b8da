-- sql/lake/load_standing.sql
-- Where loads stand that are not done: their numbers, whether they were disturbed, and whether one of these chunks is in the lake already.
-- $loads: JSON list of {load_id, chunks}
SELECT l.load_id, l.batch_id, l.disturbed,
  EXISTS (FROM lake.sluice.load_chunk AS c WHERE c.load_id = l.load_id AND list_contains(w.one.chunks, c.chunk)) AS held
FROM (SELECT unnest(from_json($loads, '[{"load_id": "UUID", "chunks": ["INTEGER"]}]')) AS one) AS w
JOIN lake.sluice.load AS l ON l.load_id = w.one.load_id
WHERE l.done_ts IS NULL
