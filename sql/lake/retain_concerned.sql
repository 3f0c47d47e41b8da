-- sql/lake/retain_concerned.sql
-- Tables with changes in the batches above $done, up to $last. Ids: one that was given to another table since may be missing, whose old changes then
-- stay in its typed log, which harms nothing.
SELECT table_id FROM lake.main.cdc WHERE batch_id <= $last::BIGINT
UNION SELECT table_id FROM lake.sluice.batch_table WHERE batch_id > $done::BIGINT AND batch_id <= $last::BIGINT
UNION SELECT table_id FROM lake.sluice.load WHERE batch_id > $done::BIGINT AND batch_id <= $last::BIGINT
UNION SELECT table_id FROM lake.sluice.schema_history WHERE batch_id > $done::BIGINT AND batch_id <= $last::BIGINT
