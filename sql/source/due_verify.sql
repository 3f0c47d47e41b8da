-- Ask for the verification that is due, one at a time. $1: milliseconds from the end of one to the next.
SELECT audit.request_load(due.table_id, 'verify')
FROM (
  SELECT t.table_id
  FROM audit.tracked_table t JOIN pg_class c ON c.oid = t.relid
  LEFT JOIN LATERAL (SELECT max(l.done_at) AS at FROM audit.load l WHERE l.table_id = t.table_id AND l.mode IN ('verify', 'repair') AND l.sample IS NULL) last ON true
  WHERE t.fingerprint ->> 'key' IS NOT NULL AND coalesce(last.at, t.tracked_at) < clock_timestamp() - $1::float8 * interval '1 ms'
  ORDER BY coalesce(last.at, t.tracked_at), t.table_id LIMIT 1
) due
WHERE NOT EXISTS (SELECT FROM audit.load l WHERE l.mode = 'verify' AND l.done_at IS NULL)
