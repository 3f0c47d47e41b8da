-- sql/lake/slices.sql
-- The batches that hold changes of a table, in slices of about $size changes. A batch in which a partition was truncated is a slice of its own: which
-- rows went with it depends on those that were there just then. $table_id, $first, $last.
SELECT min(batch_id) AS first, max(batch_id) AS last, sum(n)::BIGINT AS changes
FROM (
  SELECT batch_id, n, alone, sum(alone::INTEGER) OVER batches AS after, sum(n) OVER batches // $size::BIGINT AS slice
  FROM (
    SELECT batch_id, count(*) AS n, bool_or(cdc_op = 'T' AND (data ->> 'bound') IS NOT NULL) AS alone
    FROM lake.main.cdc
    WHERE batch_id BETWEEN $first::BIGINT AND $last::BIGINT AND table_id = $table_id::INTEGER
    GROUP BY batch_id
  )
  WINDOW batches AS (ORDER BY batch_id)
)
GROUP BY alone, after, slice
ORDER BY 1
