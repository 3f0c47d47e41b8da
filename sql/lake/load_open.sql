-- sql/lake/load_open.sql
-- Loads that are not done, those at work first, and what each has read so far.
SELECT l.load_id, l.table_id, l.mode, l.sample, l.gap_id, l.batch_id, l.plan::VARCHAR AS plan, l.horizon, l.disturbed,
  (SELECT to_json(list({chunk: c.chunk, "rows": c."rows"}))::VARCHAR FROM lake.sluice.load_chunk AS c WHERE c.load_id = l.load_id) AS done
FROM lake.sluice.load AS l WHERE l.done_ts IS NULL
ORDER BY l.batch_id IS NULL, l.requested_ts, l.table_id
