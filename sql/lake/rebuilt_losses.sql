-- sql/lake/rebuilt_losses.sql
-- What typing the staged rows again has lost, for the swap. $losses: JSON list of {seq, column, reason}; $table_schema, $table_name.
INSERT INTO temp.rebuilt_loss
SELECT s.batch_id, s.seq, $table_schema, $table_name, l ->> 'column', l ->> 'reason'
FROM (SELECT unnest($losses::JSON[]) AS l) JOIN temp.stage AS s ON s.cdc_seq = (l ->> 'seq')::BIGINT
