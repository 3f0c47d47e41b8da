-- sql/lake/stage_logged.sql
-- Batches of the log as temp.stage, for typing them again; seq and batch_id say where each row comes from. $first, $last: the batches.
-- {ids} the table's ids · {number} what stands for cdc_seq: over several batches a running number, because sequences can step back
CREATE OR REPLACE TEMP TABLE stage AS
SELECT {number} AS cdc_seq, l.cdc_xid, l.cdc_ts, l.cdc_op, l.table_id, l.data, l.context, l.cdc_seq AS seq, l.batch_id
FROM lake.main.cdc AS l
WHERE l.batch_id BETWEEN $first::BIGINT AND $last::BIGINT AND l.table_id IN ({ids})
