-- sql/lake/loads_at.sql
-- What loads mean for tables as of a cut. Of a load that was not complete then the rows do not count; a snapshot from while it was at work has the state of before.
-- table_id · without: batches that do not count · hidden: the state was not shown · stale: the snapshot is not to be used
-- {lake} the lake's name · {last} {cut} the cut, and its batch
SELECT l.table_id, list(l.batch_id) FILTER (l.batch_id <= {last} AND (b.cut_ts IS NULL OR b.cut_ts > {cut}))::VARCHAR AS without,
  bool_or(l.hidden_since <= {last} AND (b.cut_ts IS NULL OR b.cut_ts > {cut})) AS hidden,
  bool_or(l.batch_id <= {last} AND (b.cut_ts >= n.cut_ts OR l.done_ts IS NULL)) AS stale
FROM {lake}.sluice.load AS l LEFT JOIN {lake}.sluice.batch AS b ON b.batch_id = l.batch_id
LEFT JOIN {lake}.sluice.batch AS n ON n.batch_id = {last}
WHERE least(l.hidden_since, l.batch_id) <= {last} GROUP BY l.table_id
