-- sql/lake/cut_at.sql
-- The last cut at or before $at; first: the first one that there is, of those that `retain` has left whole.
SELECT max(batch_id) FILTER (cut_ts <= $at::TIMESTAMPTZ) AS batch_id, strftime(max(cut_ts) FILTER (cut_ts <= $at::TIMESTAMPTZ), '%Y-%m-%dT%H:%M:%S.%fZ') AS cut,
  strftime(min(cut_ts), '%Y-%m-%dT%H:%M:%S.%fZ') AS first
FROM {lake}.sluice.batch
WHERE batch_id >= coalesce((SELECT max(batch_id) FROM {lake}.sluice.retained), 0)
