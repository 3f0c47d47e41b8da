-- sql/lake/schema_change.sql
-- $changes: JSON list of {table_schema, table_name, change, column_name, detail}
INSERT INTO lake.sluice.schema_change
SELECT $batch_id::BIGINT, c.table_schema, c.table_name, c.change, c.column_name, c.detail, now()
FROM (SELECT unnest(from_json($changes,
  '[{"table_schema": "VARCHAR", "table_name": "VARCHAR", "change": "VARCHAR", "column_name": "VARCHAR", "detail": "VARCHAR"}]')) AS c)
