-- sql/lake/load_changed.sql
-- Keys with a captured change since a load could see them: what the log says of these is newer, or the same. Nothing from before the last TRUNCATE counts.
-- {changes} the typed log · {key} the key's columns · {op} {seq} {batch} our own columns
-- $since: the first batch that counts · $load: the load's own number
CREATE OR REPLACE TEMP TABLE load_changed AS
WITH truncated AS (
  SELECT {batch} AS batch, {seq} AS seq FROM {changes} WHERE {op} = 'T' AND {batch} >= $since::BIGINT AND {batch} <> $load::BIGINT ORDER BY ALL DESC LIMIT 1
)
SELECT DISTINCT {key} FROM {changes} AS c LEFT JOIN truncated AS t ON true
WHERE c.{batch} >= $since::BIGINT AND c.{batch} <> $load::BIGINT AND c.{op} <> 'T'
  AND (t.batch IS NULL OR c.{batch} > t.batch OR c.{batch} = t.batch AND c.{seq} > t.seq)
