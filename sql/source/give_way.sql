-- Cancel those of our reads of tables that somebody waits for: an ALTER TABLE or a TRUNCATE of the application, and all who queue behind it. And those that
-- wait for such a one themselves, as audit.read_rows does not, but a SELECT of ours would.
-- They are in the engine's own sessions ($1: their name), or a COPY of one of ours. Only those of this role are seen, and may be cancelled.
SELECT count(pg_cancel_backend(r.pid))::int4 AS cancelled
FROM pg_stat_activity r
WHERE r.state = 'active' AND r.datname = current_database() AND r.usename = current_user
  AND (r.application_name = $1 OR r.query LIKE 'COPY (SELECT * FROM audit.read\_rows(%')
  AND (r.wait_event_type = 'Lock' OR EXISTS (SELECT FROM pg_locks w WHERE NOT w.granted AND w.pid <> r.pid AND r.pid = ANY (pg_blocking_pids(w.pid))))
