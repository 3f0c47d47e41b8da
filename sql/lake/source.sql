-- The source that this lake was filled from, and the batch of it up to which the lake accounts for everything: the last one it holds, or, where a gap was
-- noted since, the one at which the source stood then. No row for a lake without a batch.
WITH newest AS (FROM lake.sluice.batch WHERE batch_id = (SELECT max(batch_id) FROM lake.sluice.batch)),
carried AS (SELECT max(batch_id) AS batch_id, max_by(batch_uuid, batch_id) AS id FROM lake.sluice.batch WHERE kind IN ('swap', 'move')),
noted AS (
  SELECT after_batch, source_epoch, source_timeline, source_batch FROM lake.sluice.gap
  WHERE source_epoch IS NOT NULL ORDER BY after_batch DESC, noted_ts DESC LIMIT 1
)
SELECT b.system_identifier, b."database", strftime(b.cut_ts, '%Y-%m-%dT%H:%M:%S.%fZ') AS cut,
  CASE WHEN n.after_batch >= b.batch_id THEN n.source_epoch ELSE b.epoch END AS epoch,
  CASE WHEN n.after_batch >= b.batch_id THEN n.source_timeline ELSE b.timeline END AS timeline,
  CASE WHEN n.after_batch >= coalesce(c.batch_id, 0) THEN n.source_batch ELSE c.id END AS batch,
  (SELECT max(last_seq) FROM lake.sluice.batch)::VARCHAR AS last_seq
FROM newest AS b CROSS JOIN carried AS c LEFT JOIN noted AS n ON true
