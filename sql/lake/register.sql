-- sql/lake/register.sql
-- Tables as the lake has them from this batch on; their rows of before were deleted just now. $tables: JSON list of objects, named as the columns; what is
-- JSON in these is text in it.
INSERT INTO lake.sluice."table"
SELECT t.table_id, t.relid, t.source_schema, t.source_name, t.lake_schema, t.lake_name, t.wanted_schema, t.wanted_name, t.columns::JSON, t."left"::JSON,
  t.key::JSON, t.own::JSON, t.partitions::JSON, t."before"::JSON, t.dropped, t.held::JSON
FROM (SELECT unnest(from_json($tables, '[{"table_id": "INTEGER", "relid": "VARCHAR", "source_schema": "VARCHAR", "source_name": "VARCHAR",
  "lake_schema": "VARCHAR", "lake_name": "VARCHAR", "wanted_schema": "VARCHAR", "wanted_name": "VARCHAR", "columns": "VARCHAR", "left": "VARCHAR",
  "key": "VARCHAR", "own": "VARCHAR", "partitions": "VARCHAR", "before": "VARCHAR", "dropped": "BOOLEAN", "held": "VARCHAR"}]')) AS t)
