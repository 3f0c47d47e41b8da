-- sql/lake/load_chunks.sql
-- Note chunks that are in the lake. $load_id · $chunks: [{"chunk": …, "rows": …}]
INSERT INTO lake.sluice.load_chunk
SELECT $load_id::UUID, c.chunk, c."rows" FROM (SELECT unnest(from_json($chunks, '[{"chunk": "INTEGER", "rows": "BIGINT"}]')) AS c)
