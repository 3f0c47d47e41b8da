-- A gap is repaired. Returns how many: 0 when it was closed before.
UPDATE lake.sluice.gap
SET closed_ts = now(), missing = $missing::BIGINT, different = $different::BIGINT, extra = $extra::BIGINT
WHERE gap_id = $gap_id::UUID AND closed_ts IS NULL
