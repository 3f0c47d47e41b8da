-- sql/lake/load_done.sql
-- $loads: JSON list of {load_id, rows, missing, different, extra}; no numbers for one that was given up · $done_batch
UPDATE lake.sluice.load AS l
SET done_ts = now(), done_batch = $done_batch::BIGINT, "rows" = d."rows", missing = d.missing, different = d.different, extra = d.extra
FROM (SELECT unnest(from_json($loads,
  '[{"load_id": "UUID", "rows": "BIGINT", "missing": "BIGINT", "different": "BIGINT", "extra": "BIGINT"}]'), recursive := true)) AS d
WHERE l.load_id = d.load_id
