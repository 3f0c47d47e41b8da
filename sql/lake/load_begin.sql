-- sql/lake/load_begin.sql
UPDATE lake.sluice.load SET mode = $mode, hidden_since = least(hidden_since, $hidden_since::BIGINT), batch_id = $batch_id::BIGINT, began_ts = now(), plan = $plan::JSON, horizon = $horizon, disturbed = NULL WHERE load_id = $load_id::UUID
