-- A gap is noted. $tables: JSON list of table ids, null for all; $source_epoch is null where source and lake were not compared.
INSERT INTO lake.sluice.gap
VALUES (uuid(), $epoch, $from::TIMESTAMPTZ, $to::TIMESTAMPTZ, $cause, now(), $tables::JSON, $after_xid::BIGINT, $after_batch::BIGINT,
  $source_epoch, $source_timeline::BIGINT, $source_batch::UUID, NULL, NULL, NULL, NULL)
