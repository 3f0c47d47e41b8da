-- sql/lake/load_concerned.sql
-- Which of these tables a batch has changed since a load could see it. $tables: JSON list of {table_id, since}
SELECT DISTINCT b.table_id FROM lake.sluice.batch_table AS b
JOIN (SELECT unnest(from_json($tables, '[{"table_id": "INTEGER", "since": "BIGINT"}]'), recursive := true)) AS w ON b.table_id = w.table_id AND b.batch_id >= w.since
