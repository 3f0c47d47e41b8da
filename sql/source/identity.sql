SELECT s.system_identifier::text AS system_identifier, c.timeline_id AS timeline, current_database() AS database, e.epoch
FROM pg_control_system() s, pg_control_checkpoint() c, audit.epoch e
