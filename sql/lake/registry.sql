-- sql/lake/registry.sql
-- The tables that the lake has, as it last saw them: see LakeTable in src/model/table.ts.
SELECT table_id, relid, source_schema, source_name, lake_schema, lake_name, wanted_schema, wanted_name, columns::VARCHAR AS columns, "left"::VARCHAR AS "left",
  key::VARCHAR AS key, own::VARCHAR AS own, partitions::VARCHAR AS partitions,
  "before"::VARCHAR AS "before", dropped, held::VARCHAR AS held
FROM {lake}.sluice."table"
