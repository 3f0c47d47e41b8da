-- The tracked tables of a stage header. $tables: JSON object of id → [schema, name].
CREATE OR REPLACE TEMP TABLE stage_table AS
SELECT key::INTEGER AS table_id, value ->> 0 AS table_schema, value ->> 1 AS table_name
FROM json_each($tables::JSON)
