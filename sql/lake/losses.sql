-- sql/lake/losses.sql
-- $losses: JSON list of {seq, column, reason}.
INSERT INTO lake.sluice.loss
SELECT $batch_id::BIGINT, (l ->> 'seq')::BIGINT, $table_schema, $table_name, l ->> 'column', l ->> 'reason'
FROM (SELECT unnest($losses::JSON[]) AS l)
