-- sql/lake/replayed_loads.sql
-- Complete loads that have left rows in the typed log. {ids} the table's ids · $last: the lake's last batch then was not after it.
SELECT batch_id, mode, done_batch FROM lake.sluice.load
WHERE table_id IN ({ids}) AND done_ts IS NOT NULL AND mode <> 'verify' AND batch_id IN (SELECT batch_id FROM lake.sluice.batch)
  AND done_batch <= $last::BIGINT
ORDER BY done_batch, batch_id
