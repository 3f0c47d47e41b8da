-- sql/lake/load_request.sql
-- A load to be done; nothing where it is there already, or where one of the same table and mode waits for the same gap. One that people have asked for is
-- never left out so: they wait for this very one. $load_id, $table_id, $mode, $sample, $gap_id, $asked.
INSERT INTO lake.sluice.load (load_id, table_id, mode, sample, gap_id, asked, requested_ts)
SELECT $load_id::UUID, $table_id::INTEGER, $mode, $sample::FLOAT, $gap_id::UUID, $asked::BOOLEAN, now()
WHERE NOT EXISTS (FROM lake.sluice.load WHERE load_id = $load_id::UUID
  OR NOT $asked::BOOLEAN AND done_ts IS NULL AND batch_id IS NULL AND table_id = $table_id::INTEGER AND mode = $mode AND sample IS NULL
    AND gap_id IS NOT DISTINCT FROM $gap_id::UUID)
