-- sql/lake/register.sql
-- One table as the lake has it from this batch on; the row before it was deleted just now.
INSERT INTO lake.sluice."table"
VALUES ($table_id::INTEGER, $relid, $source_schema, $source_name, $lake_schema, $lake_name, $wanted_schema, $wanted_name, $columns::JSON, $left::JSON, $key::JSON, $own::JSON, $partitions::JSON, $before::JSON, $dropped::BOOLEAN, $held::JSON)
