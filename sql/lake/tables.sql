-- Everything sluice keeps in a lake, made once. DuckLake knows no keys and no defaults that are expressions, so there are none.
CREATE SCHEMA IF NOT EXISTS lake.sluice;

-- The raw log: one row per captured change. `data` is the text that the source made, character by character.
CREATE TABLE lake.main.cdc (
  dl_ts TIMESTAMPTZ,
  cdc_uuid UUID,
  cdc_ts TIMESTAMPTZ,
  cdc_op VARCHAR,
  table_schema VARCHAR,
  table_name VARCHAR,
  data JSON,
  cdc_seq BIGINT,
  cdc_xid BIGINT,
  batch_id BIGINT,
  -- Who and why, for tables that are tracked with `context`: {role, application_name, context}.
  context JSON,
  -- The table's id in audit.tracked_table: its name is the one of when the batch was read, and another table may have had it in the same batch.
  table_id INTEGER
);

-- The ledger: one row per batch that the lake holds, written in the transaction that brought the batch; and one of kind `schema`, without changes, where
-- the lake followed DDL of tables that had none. batch_uuid identifies it;
-- batch_id is the lake's own number and only grows, source_ordinal can step back when the source is restored.
CREATE TABLE lake.sluice.batch (
  batch_id BIGINT,
  batch_uuid UUID,
  source_ordinal BIGINT,
  kind VARCHAR,
  cut_ts TIMESTAMPTZ,
  dl_ts TIMESTAMPTZ,
  "rows" BIGINT,
  first_seq BIGINT,
  last_seq BIGINT,
  system_identifier VARCHAR,
  timeline BIGINT,
  "database" VARCHAR,
  epoch VARCHAR
);

-- Spans whose changes were lost at the source, each until it is repaired, and after: see Gap in src/model/gap.ts. source_*: where the source stood then.
CREATE TABLE lake.sluice.gap (
  gap_id UUID,
  epoch VARCHAR,
  from_ts TIMESTAMPTZ,
  to_ts TIMESTAMPTZ,
  cause VARCHAR,
  noted_ts TIMESTAMPTZ,
  -- Table ids; null: all.
  tables JSON,
  -- Transactions below it must have ended before a repair begins; null: none.
  after_xid BIGINT,
  after_batch BIGINT,
  source_epoch VARCHAR,
  source_timeline BIGINT,
  source_batch UUID,
  -- Null: open. Rows that the repair put, changed and took away.
  closed_ts TIMESTAMPTZ,
  missing BIGINT,
  different BIGINT,
  extra BIGINT
);

-- Which changes `retain` has taken away, one row, or none: those of batches up to batch_id. From its cut on, history and as-of are whole.
CREATE TABLE lake.sluice.retained (batch_id BIGINT, cut_ts TIMESTAMPTZ, noted_ts TIMESTAMPTZ);

-- The tracked tables as the lake holds them, one row each: see LakeTable in src/model/table.ts.
CREATE TABLE lake.sluice."table" (
  table_id INTEGER,
  relid VARCHAR,
  source_schema VARCHAR,
  source_name VARCHAR,
  lake_schema VARCHAR,
  lake_name VARCHAR,
  wanted_schema VARCHAR,
  wanted_name VARCHAR,
  columns JSON,
  "left" JSON,
  key JSON,
  own JSON,
  partitions JSON,
  "before" JSON,
  dropped BOOLEAN,
  held JSON
);

-- What a batch brought for each table. state_rows: by how many rows its state grew. The row of a batch that `retain` has reached stands for those before it.
CREATE TABLE lake.sluice.batch_table (batch_id BIGINT, table_id INTEGER, changes BIGINT, last_seq BIGINT, last_ts TIMESTAMPTZ, state_rows BIGINT);

-- Values that a lake type can't hold: NULL in the typed tables, whole in the log.
CREATE TABLE lake.sluice.loss (batch_id BIGINT, cdc_seq BIGINT, table_schema VARCHAR, table_name VARCHAR, column_name VARCHAR, reason VARCHAR);

-- What the source changed about its tables, and with which batch the lake followed.
CREATE TABLE lake.sluice.schema_change (
  batch_id BIGINT,
  table_schema VARCHAR,
  table_name VARCHAR,
  change VARCHAR,
  column_name VARCHAR,
  detail VARCHAR,
  noted_ts TIMESTAMPTZ
);

-- The same for `sluice rebuild`: each Evolution (src/model/evolution.ts) whole, in the order in which the lake carried it out; position: within a batch.
CREATE TABLE lake.sluice.schema_history (batch_id BIGINT, position INTEGER, table_id INTEGER, evolution JSON);

-- Loads (see docs/loads.md). batch_id: the number that its rows in the typed log carry, in the ledger once the load is complete; null: it waits.
-- hidden_since: the batch from which on the state was not shown before the load was complete; null: it was shown.
-- plan, horizon: see OpenLoad in src/model/load.ts. disturbed: the batch with a TRUNCATE or DDL that makes it start over.
-- done_batch: the last batch that the lake had when it was complete. rows: of the source; missing, different, extra: what the lake lacked, had otherwise, had too much.
-- sample: percent of the rows that are read, about; null: all. asked: people wait for it.
CREATE TABLE lake.sluice.load (
  load_id UUID,
  table_id INTEGER,
  mode VARCHAR,
  sample FLOAT,
  gap_id UUID,
  asked BOOLEAN,
  requested_ts TIMESTAMPTZ,
  batch_id BIGINT,
  hidden_since BIGINT,
  began_ts TIMESTAMPTZ,
  plan JSON,
  horizon VARCHAR,
  disturbed BIGINT,
  done_ts TIMESTAMPTZ,
  done_batch BIGINT,
  "rows" BIGINT,
  missing BIGINT,
  different BIGINT,
  extra BIGINT
);

-- Chunks of loads at work that are in the lake: never read twice.
CREATE TABLE lake.sluice.load_chunk (load_id UUID, chunk INTEGER, "rows" BIGINT);

-- What the last verification of each table has found: rows that the lake lacks (missing), has otherwise (different), or has too much (extra).
CREATE TABLE lake.sluice.difference (load_id UUID, table_schema VARCHAR, table_name VARCHAR, difference VARCHAR, key JSON, found_ts TIMESTAMPTZ);

-- How far each table is. Every table is as of the last cut; lag is what the last batch took from its cut to the lake.
CREATE VIEW lake.sluice.watermark AS
WITH newest AS (SELECT max_by(b, b.batch_id) AS batch FROM sluice.batch AS b)
SELECT t.lake_schema AS table_schema, t.lake_name AS table_name, max(bt.batch_id) AS last_batch, max_by(bt.last_seq, bt.batch_id) AS last_seq,
  max_by(bt.last_ts, bt.batch_id) AS last_change_ts, any_value(n.batch.cut_ts) AS cut_ts, any_value(n.batch.dl_ts) AS dl_ts,
  any_value(n.batch.dl_ts - n.batch.cut_ts) AS lag, coalesce(sum(bt.state_rows), 0)::BIGINT AS "rows"
FROM sluice."table" AS t LEFT JOIN sluice.batch_table AS bt ON bt.table_id = t.table_id CROSS JOIN newest AS n
WHERE NOT t.dropped
GROUP BY t.lake_schema, t.lake_name;

-- One row that every batch updates: of two writers at the same time, the second's commit fails with everything in it.
CREATE TABLE lake.sluice.anchor (lake_uuid UUID, last_batch_id BIGINT);
INSERT INTO lake.sluice.anchor VALUES (uuid(), 0);
