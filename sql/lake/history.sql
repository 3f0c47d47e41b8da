-- sql/lake/history.sql
-- How each row came to be: one version per key and batch, valid from that batch's cut to the next change's cut or the next TRUNCATE's.
-- Names without a catalog: they resolve in the lake, whatever name it is attached under.
-- {history} the view · {changes} the typed log · {columns} the source's columns · {key} the key's columns
-- {op} {seq} {batch} {context} {from} {to} {current} our own columns · {next} a name that no column has
CREATE OR REPLACE VIEW {history} AS
WITH truncated AS (
  SELECT c.{batch} AS batch, max(c.{seq}) AS seq, max(b.cut_ts) AS cut
  FROM {changes} AS c JOIN sluice.batch AS b ON b.batch_id = c.{batch} WHERE c.{op} = 'T' GROUP BY c.{batch}
), version AS (
  SELECT c.*, b.cut_ts AS {from}
  FROM {changes} AS c JOIN sluice.batch AS b ON b.batch_id = c.{batch} LEFT JOIN truncated AS t ON t.batch = c.{batch}
  WHERE c.{op} <> 'T' AND (t.seq IS NULL OR c.{seq} > t.seq)
  QUALIFY row_number() OVER (PARTITION BY {key}, c.{batch} ORDER BY c.{seq} DESC) = 1
), followed AS (
  SELECT v.*, lead(v.{from}) OVER (PARTITION BY {key} ORDER BY v.{batch}) AS {next} FROM version AS v
)
SELECT {columns}, f.{context}, f.{from}, least(f.{next}, t.cut) AS {to}, least(f.{next}, t.cut) IS NULL AS {current}
FROM followed AS f ASOF LEFT JOIN truncated AS t ON t.batch > f.{batch}
WHERE f.{op} <> 'D'
