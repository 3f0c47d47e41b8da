-- sql/lake/load_standing.sql
-- Where a load stands that is not done: its number, whether it was disturbed, and whether one of these chunks is in the lake already. $load_id, $chunks: JSON.
SELECT l.batch_id, l.disturbed,
  EXISTS (FROM lake.sluice.load_chunk AS c WHERE c.load_id = l.load_id AND c.chunk IN (SELECT unnest(from_json($chunks, '["INTEGER"]')))) AS held
FROM lake.sluice.load AS l WHERE l.load_id = $load_id::UUID AND l.done_ts IS NULL
