-- The ledger's row of a batch; dl_ts is the transaction's, as in the log.
INSERT INTO lake.sluice.batch
VALUES (
  $batch_id::BIGINT, $batch_uuid::UUID, $source_ordinal::BIGINT, $kind, $cut::TIMESTAMPTZ, now(), $rows::BIGINT,
  $first_seq::BIGINT, $last_seq::BIGINT, $system_identifier, $timeline::BIGINT, $database, $epoch
)
