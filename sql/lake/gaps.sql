-- Gaps that are open, oldest first.
SELECT gap_id, epoch, strftime(from_ts, '%Y-%m-%dT%H:%M:%S.%fZ') AS "from", strftime(to_ts, '%Y-%m-%dT%H:%M:%S.%fZ') AS "to", cause, tables::VARCHAR AS tables,
  after_xid::VARCHAR AS after_xid, after_batch
FROM lake.sluice.gap
WHERE closed_ts IS NULL
ORDER BY noted_ts, from_ts
