-- sql/lake/batch_table.sql
-- What this batch brought for one table. {typed} its typed changes · {seq} {ts} our own columns
INSERT INTO lake.sluice.batch_table
SELECT $batch_id::BIGINT, $table_id::INTEGER, count(*), max({seq}), max({ts}), $state_rows::BIGINT FROM {typed}
