-- The timeline is that of the WAL which is written now: pg_control_checkpoint() tells the old one until the first checkpoint after a promotion has ended,
-- minutes later. A server in recovery writes none.
SELECT s.system_identifier::text AS system_identifier,
  CASE WHEN pg_is_in_recovery() THEN (SELECT c.timeline_id FROM pg_control_checkpoint() c)
    ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int END AS timeline,
  current_database() AS database, e.epoch
FROM pg_control_system() s, audit.epoch e
