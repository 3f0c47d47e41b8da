-- sql/lake/retain_folded.sql
-- What the batches up to $last brought for each table, as one row with the number of the last of them: sluice.watermark adds them up.
CREATE OR REPLACE TEMP TABLE retain_folded AS
SELECT max(batch_id) AS batch_id, table_id, sum(changes)::BIGINT AS changes, max_by(last_seq, batch_id) AS last_seq, max_by(last_ts, batch_id) AS last_ts,
  sum(state_rows)::BIGINT AS state_rows
FROM lake.sluice.batch_table WHERE batch_id <= $last::BIGINT GROUP BY table_id HAVING count(*) > 1
