-- sql/lake/load_held_state.sql
-- A held state as the log alone makes it, for a load that starts over.
-- {state} · {changes} the typed log · {columns} the source's columns · {key} the key's columns · {op} {seq} {batch} our own columns · {whole} no column of the key is null · $since: the first batch
INSERT INTO {state} ({columns})
WITH truncated AS (
  SELECT {batch} AS batch, {seq} AS seq FROM {changes} WHERE {op} = 'T' AND {batch} >= $since::BIGINT ORDER BY ALL DESC LIMIT 1
)
SELECT {columns} FROM (
  SELECT c.* FROM {changes} AS c LEFT JOIN truncated AS t ON true
  WHERE c.{batch} >= $since::BIGINT AND c.{op} <> 'T' AND (t.batch IS NULL OR c.{batch} > t.batch OR c.{batch} = t.batch AND c.{seq} > t.seq)
  QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY c.{batch} DESC, c.{seq} DESC) = 1
) AS c WHERE c.{op} <> 'D' AND {whole}
