-- sql/lake/retain_losses.sql
-- The losses of changes that have gone. Those of rows that are still there stay: their values are NULL in the state.
-- {changes} the typed log · {seq} {batch} our own columns
DELETE FROM lake.sluice.loss AS l USING temp.retain_loss AS o
WHERE l.batch_id = o.batch_id AND l.cdc_seq = o.cdc_seq
  AND NOT EXISTS (SELECT 1 FROM {changes} AS c WHERE c.{batch} = l.batch_id AND c.{seq} = l.cdc_seq)
