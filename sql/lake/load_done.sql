-- sql/lake/load_done.sql
UPDATE lake.sluice.load SET done_ts = now(), done_batch = $done_batch::BIGINT, "rows" = $rows::BIGINT, missing = $missing::BIGINT, different = $different::BIGINT, extra = $extra::BIGINT
WHERE load_id = $load_id::UUID
