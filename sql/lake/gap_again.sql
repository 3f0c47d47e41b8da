-- A gap that is noted already and open is noted again: a daemon died before it could say so to the source, or the source was set back to where it lost the same
-- once more. So what repaired it halfway does not count any more. Returns how many: 1, or 0 for a new one.
UPDATE lake.sluice.gap
SET to_ts = greatest(to_ts, $to::TIMESTAMPTZ), noted_ts = now(), after_xid = $after_xid::BIGINT, after_batch = $after_batch::BIGINT,
  source_epoch = $source_epoch, source_timeline = $source_timeline::BIGINT, source_batch = $source_batch::UUID
WHERE closed_ts IS NULL AND epoch = $epoch AND cause = $cause AND from_ts = $from::TIMESTAMPTZ AND tables::VARCHAR IS NOT DISTINCT FROM $tables
