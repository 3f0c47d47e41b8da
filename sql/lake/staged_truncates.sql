-- sql/lake/staged_truncates.sql
-- The TRUNCATEs of the staged batch in order; bound: the condition of the partition that was truncated, null for a whole table.
SELECT table_id, cdc_seq, data ->> 'bound' AS bound, data ->> 'partition' AS "partition" FROM temp.stage WHERE cdc_op = 'T' ORDER BY cdc_seq
