-- sql/lake/load_request.sql
-- A load to be done; nothing where it is there already, or, unless $always, where one of the same table and mode waits. $load_id, $table_id, $mode, $gap_id.
INSERT INTO lake.sluice.load (load_id, table_id, mode, gap_id, requested_ts)
SELECT $load_id::UUID, $table_id::INTEGER, $mode, $gap_id::UUID, now()
WHERE NOT EXISTS (FROM lake.sluice.load WHERE load_id = $load_id::UUID
  OR NOT $always AND done_ts IS NULL AND batch_id IS NULL AND table_id = $table_id::INTEGER AND mode = $mode AND gap_id IS NOT DISTINCT FROM $gap_id::UUID)
