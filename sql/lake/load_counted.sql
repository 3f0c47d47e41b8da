-- sql/lake/load_counted.sql
-- What loads brought for their tables, so that the rows which batches brought add up to those of the state.
-- $loads: JSON list of {batch_id, table_id, changes, rows}, the last the state's
INSERT INTO lake.sluice.batch_table
SELECT c.batch_id, c.table_id, c.changes, NULL, NULL, c."rows" - coalesce(b.state_rows, 0)::BIGINT
FROM (SELECT unnest(from_json($loads, '[{"batch_id": "BIGINT", "table_id": "INTEGER", "changes": "BIGINT", "rows": "BIGINT"}]'), recursive := true)) AS c
LEFT JOIN (SELECT table_id, sum(state_rows) AS state_rows FROM lake.sluice.batch_table GROUP BY table_id) AS b ON b.table_id = c.table_id
