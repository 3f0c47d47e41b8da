-- sql/lake/retain_slice.sql
-- The next batches whose changes go: above $done, all before the first one with a cut that is not before $before, at most $batches of them and, but for
-- the first, $changes changes. One row: the last of them (null: none), the latest cut of them, their changes, and whether there are more.
-- Nor what a load at work has begun after: as of such a cut its rows will not count, so those that they replace may not go.
-- Not each batch with an old cut: cuts can step back after a failover, and what is kept must have no hole.
WITH old AS (
  SELECT batch_id, cut_ts, "rows", coalesce(sum("rows") OVER (ORDER BY batch_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS "before",
    row_number() OVER (ORDER BY batch_id) AS n
  FROM lake.sluice.batch
  WHERE batch_id > $done::BIGINT
    AND batch_id < coalesce((SELECT min(batch_id) FROM lake.sluice.batch WHERE batch_id > $done::BIGINT AND cut_ts >= $before::TIMESTAMPTZ), 9223372036854775807)
    AND batch_id < coalesce((SELECT min(batch_id) FROM lake.sluice.load WHERE done_ts IS NULL), 9223372036854775807)
), slice AS (
  FROM old WHERE n <= $batches::BIGINT AND (n = 1 OR "before" + "rows" <= $changes::BIGINT)
)
SELECT (SELECT max(batch_id) FROM slice) AS last, (SELECT max(cut_ts)::VARCHAR FROM slice) AS cut, (SELECT coalesce(sum("rows"), 0)::BIGINT FROM slice) AS changes,
  (SELECT count(*) FROM old) > (SELECT count(*) FROM slice) AS more
