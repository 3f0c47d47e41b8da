-- sql/lake/cut_at.sql
-- The last cut at or before $at; first: the first one that there is, of those that `retain` has left whole.
WITH horizon AS (SELECT max(batch_id) AS batch_id, max(cut_ts) AS cut_ts FROM {lake}.sluice.retained)
SELECT max(b.batch_id) FILTER (b.cut_ts <= $at::TIMESTAMPTZ AND whole) AS batch_id,
  strftime(max(b.cut_ts) FILTER (b.cut_ts <= $at::TIMESTAMPTZ), '%Y-%m-%dT%H:%M:%S.%fZ') AS cut,
  strftime(min(greatest(b.cut_ts, h.cut_ts)) FILTER (b.batch_id >= coalesce(h.batch_id, 0)), '%Y-%m-%dT%H:%M:%S.%fZ') AS first
FROM (
  SELECT b.*, b.batch_id >= coalesce(h.batch_id, 0) AND coalesce($at::TIMESTAMPTZ >= h.cut_ts, true) AS whole FROM {lake}.sluice.batch AS b CROSS JOIN horizon AS h
) AS b CROSS JOIN horizon AS h
