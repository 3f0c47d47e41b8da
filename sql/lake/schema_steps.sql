-- sql/lake/schema_steps.sql
-- All evolutions up to batch $last, in the order in which they were carried out.
SELECT batch_id, evolution::VARCHAR AS evolution FROM lake.sluice.schema_history WHERE batch_id <= $last::BIGINT ORDER BY batch_id, position
