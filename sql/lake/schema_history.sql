-- sql/lake/schema_history.sql
INSERT INTO lake.sluice.schema_history VALUES ($batch_id::BIGINT, $position::INTEGER, $table_id::INTEGER, $evolution::JSON)
