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
  batch_id BIGINT
);

-- The ledger: one row per batch that the lake holds, written in the transaction that brought the batch. batch_uuid identifies it;
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

-- Spans whose changes were lost at the source.
CREATE TABLE lake.sluice.gap (epoch VARCHAR, from_ts TIMESTAMPTZ, to_ts TIMESTAMPTZ, cause VARCHAR, noted_ts TIMESTAMPTZ);

-- One row that every batch updates: of two writers at the same time, the second's commit fails with everything in it.
CREATE TABLE lake.sluice.anchor (lake_uuid UUID, last_batch_id BIGINT);
INSERT INTO lake.sluice.anchor VALUES (uuid(), 0);
