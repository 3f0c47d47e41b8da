-- sql/lake/retain_ledger.sql
-- The ledger before $last, but for what temp.retain_batch names. The row of $last stays: as of its cut all is there.
DELETE FROM lake.sluice.batch AS b WHERE b.batch_id < $last::BIGINT AND NOT EXISTS (SELECT 1 FROM temp.retain_batch AS r WHERE r.batch_id = b.batch_id)
