-- sql/lake/late_loads.sql
-- Numbers of loads that were not complete at a cut, though batches after them were there. {lake} · $last the number of the cut's batch · $cut
SELECT l.batch_id FROM {lake}.sluice.load AS l LEFT JOIN {lake}.sluice.batch AS b ON b.batch_id = l.batch_id
WHERE l.batch_id <= $last::BIGINT AND (b.cut_ts IS NULL OR b.cut_ts > $cut::TIMESTAMPTZ)
