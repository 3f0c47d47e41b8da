-- sql/lake/load_adopt.sql
-- Where a table's first load waits, it is the load that people have asked for now: rows are not read twice. $loads: as of load_request.sql; of several for
-- one table it is the first.
UPDATE lake.sluice.load AS l SET load_id = w.load_id, asked = true
FROM (
  SELECT w.table_id, arg_min(w.load_id, i) AS load_id
  FROM (SELECT unnest(from_json($loads, '[{"load_id": "UUID", "table_id": "INTEGER"}]')) AS w, generate_subscripts(from_json($loads, '["JSON"]'), 1) AS i)
  GROUP BY ALL
) AS w
WHERE l.table_id = w.table_id AND l.mode = 'fill' AND l.batch_id IS NULL AND l.done_ts IS NULL AND NOT l.asked
