-- Batches that the source has finished, newest first. $1: below this ordinal, null for all. As one row: see sql/source/tables.sql.
SELECT coalesce(json_agg(f ORDER BY f.ordinal DESC), '[]') AS finished
FROM (
  SELECT b.id, b.ordinal, to_json(b.cut_at AT TIME ZONE 'UTC') #>> '{}' || 'Z' AS cut
  FROM audit.batch b
  WHERE b.state = 'done' AND ($1::int8 IS NULL OR b.ordinal < $1::int8)
  ORDER BY b.ordinal DESC LIMIT 1000
) f
