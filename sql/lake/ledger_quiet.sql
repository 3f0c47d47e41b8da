-- sql/lake/ledger_quiet.sql
-- Rows of the ledger without changes: DDL that was followed (kind schema) or loads that are complete (load). $batch_ids: JSON list · $kind, $cut and the source
INSERT INTO lake.sluice.batch
SELECT b.batch_id, uuid(), coalesce((SELECT max_by(source_ordinal, batch_id) FROM lake.sluice.batch), 0), $kind, $cut::TIMESTAMPTZ, now(), 0, NULL, NULL,
  $system_identifier, $timeline::BIGINT, $database, $epoch
FROM (SELECT unnest(from_json($batch_ids, '["BIGINT"]')) AS batch_id) AS b
