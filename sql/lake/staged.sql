-- What lies in the staging table: rows, range of cdc_seq, rows that the log couldn't order.
SELECT
  count(*) AS "rows",
  min(s.cdc_seq) AS first_seq,
  max(s.cdc_seq) AS last_seq,
  count(*) FILTER (s.cdc_seq IS NULL OR s.cdc_seq < 0 OR s.cdc_ts IS NULL OR NOT isfinite(s.cdc_ts)) AS unordered
FROM temp.stage AS s
