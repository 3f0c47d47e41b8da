-- sql/lake/load_forget.sql
-- $load_ids: JSON list
DELETE FROM lake.sluice.load_chunk WHERE load_id IN (SELECT unnest(from_json($load_ids, '["UUID"]')))
