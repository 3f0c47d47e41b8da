-- sql/lake/as_of.sql
-- A table as it was at a cut: the last change of each key up to then. Faster than the history, which works out every version.
-- {view} the view to make · {changes} the typed log · {columns} the source's columns · {key} the key's columns
-- {op} {seq} {batch} our own columns · {last} the number of the cut's batch
CREATE VIEW {view} AS
WITH truncated AS (SELECT {batch} AS batch, {seq} AS seq FROM {changes} WHERE {op} = 'T' AND {batch} <= {last} ORDER BY ALL DESC LIMIT 1)
SELECT {columns} FROM (
  SELECT c.* FROM {changes} AS c LEFT JOIN truncated AS t ON true
  WHERE c.{batch} <= {last} AND c.{op} <> 'T' AND (t.batch IS NULL OR c.{batch} > t.batch OR c.{batch} = t.batch AND c.{seq} > t.seq)
  QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY c.{batch} DESC, c.{seq} DESC) = 1
) AS c WHERE c.{op} <> 'D'
