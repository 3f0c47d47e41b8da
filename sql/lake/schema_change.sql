-- sql/lake/schema_change.sql
INSERT INTO lake.sluice.schema_change VALUES ($batch_id::BIGINT, $table_schema, $table_name, $change, $column_name, $detail, now())
