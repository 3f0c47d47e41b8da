-- sql/lake/load_begin.sql
UPDATE lake.sluice.load SET batch_id = $batch_id::BIGINT, began_ts = now(), plan = $plan::JSON, horizon = $horizon, disturbed = NULL WHERE load_id = $load_id::UUID
