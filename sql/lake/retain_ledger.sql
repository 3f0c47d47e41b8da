-- sql/lake/retain_ledger.sql
-- The ledger before $last, but for what temp.retain_batch names. The row of $last stays: as of its cut all is there. So do those of loads, by which as-of tells
-- what was shown when, and of the newest batch that the source made, by which source and lake know each other.
DELETE FROM lake.sluice.batch AS b
WHERE b.batch_id < $last::BIGINT AND b.kind <> 'load'
  AND b.batch_id < coalesce((SELECT max(batch_id) FROM lake.sluice.batch WHERE kind IN ('swap', 'move')), 0)
  AND NOT EXISTS (SELECT 1 FROM temp.retain_batch AS r WHERE r.batch_id = b.batch_id)
