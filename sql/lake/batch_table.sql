-- What this batch brought for its tables, all in one statement: each INSERT into a DuckLake takes 2 ms. $tables: JSON array of what batch_table_of.sql says.
INSERT INTO lake.sluice.batch_table
SELECT $batch_id::BIGINT, t.table_id, t.changes, t.last_seq, t.last_ts::TIMESTAMPTZ, t.state_rows
FROM (SELECT unnest(from_json_strict($tables,
  '[{"table_id":"INTEGER","changes":"BIGINT","last_seq":"BIGINT","last_ts":"VARCHAR","state_rows":"BIGINT"}]'), recursive := true)) AS t
