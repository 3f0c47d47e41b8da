-- sql/lake/load_begin.sql
-- Loads that begin, or begin anew. $loads: JSON list of {load_id, mode, batch_id, hidden_since, plan}, the last as text · $horizon
UPDATE lake.sluice.load AS l
SET mode = b.mode, hidden_since = least(l.hidden_since, b.hidden_since), batch_id = b.batch_id, began_ts = now(), plan = b.plan::JSON, horizon = $horizon, disturbed = NULL
FROM (SELECT unnest(from_json($loads,
  '[{"load_id": "UUID", "mode": "VARCHAR", "batch_id": "BIGINT", "hidden_since": "BIGINT", "plan": "VARCHAR"}]'), recursive := true)) AS b
WHERE l.load_id = b.load_id
