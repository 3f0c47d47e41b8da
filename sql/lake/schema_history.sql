-- sql/lake/schema_history.sql
-- $evolutions: JSON list of {position, table_id, evolution}, the last as text
INSERT INTO lake.sluice.schema_history
SELECT $batch_id::BIGINT, e.position, e.table_id, e.evolution::JSON
FROM (SELECT unnest(from_json($evolutions, '[{"position": "INTEGER", "table_id": "INTEGER", "evolution": "VARCHAR"}]')) AS e)
