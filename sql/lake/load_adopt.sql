-- Where a table's first load waits, it is the load that people have asked for now: rows are not read twice. $load_id, $table_id.
UPDATE lake.sluice.load SET load_id = $load_id::UUID, asked = true
WHERE table_id = $table_id::INTEGER AND mode = 'fill' AND batch_id IS NULL AND done_ts IS NULL AND NOT asked
