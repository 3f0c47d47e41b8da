-- sql/lake/load_request.sql
-- Loads to be done; nothing for one that is there already, or where one of the same table and mode waits for the same gap. One that people have asked for is
-- never left out so: they wait for this very one. $loads: JSON list of {load_id, table_id, mode, sample, gap_id, asked}
INSERT INTO lake.sluice.load (load_id, table_id, mode, sample, gap_id, asked, requested_ts)
SELECT w.load_id, w.table_id, w.mode, w.sample, w.gap_id, w.asked, now()
FROM (SELECT unnest(from_json($loads,
  '[{"load_id": "UUID", "table_id": "INTEGER", "mode": "VARCHAR", "sample": "FLOAT", "gap_id": "UUID", "asked": "BOOLEAN"}]')) AS w) AS wanted
WHERE NOT EXISTS (FROM lake.sluice.load AS l WHERE l.load_id = w.load_id)
  AND (w.asked OR NOT EXISTS (FROM lake.sluice.load AS l WHERE l.done_ts IS NULL AND l.batch_id IS NULL AND l.sample IS NULL
    AND l.table_id = w.table_id AND l.mode = w.mode AND l.gap_id IS NOT DISTINCT FROM w.gap_id))
