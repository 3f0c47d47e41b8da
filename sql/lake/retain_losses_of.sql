-- sql/lake/retain_losses_of.sql
-- Which losses up to batch $last are of this table, before its changes go. By (batch, seq): the table may have had another name then.
-- {changes} the typed log · {seq} {batch} our own columns
CREATE OR REPLACE TEMP TABLE retain_loss AS
SELECT DISTINCT l.batch_id, l.cdc_seq FROM lake.sluice.loss AS l
SEMI JOIN (SELECT {batch} AS batch_id, {seq} AS cdc_seq FROM {changes} WHERE {batch} <= $last::BIGINT) AS c USING (batch_id, cdc_seq)
