-- Where the slices of the open batch begin, of each of which the values take about $1 bytes as text: ctids, in order. cdc_old holds still while its batch is open.
-- Ranges of ctids are read without an index. The values are looked at, not what they take compressed: a page may hold a hundred rows of any width.
SELECT coalesce(array_agg(s.first ORDER BY s.first), '{}')::text[] AS firsts
FROM (
  SELECT min(m.ctid) AS first
  FROM (
    SELECT w.ctid, w.bytes, sum(w.bytes) OVER (ORDER BY w.ctid) AS upto
    FROM (SELECT c.ctid, coalesce(octet_length(c.data::text), 0)::bigint + coalesce(octet_length(c.context::text), 0) AS bytes FROM audit.cdc_old c) w
  ) m
  GROUP BY div(m.upto - m.bytes, $1::bigint)
) s
