-- Cancel those of our reads of tables that somebody waits for: an ALTER TABLE or a TRUNCATE of the application, and all who queue behind it. And those that
-- wait for such a one themselves, as audit.read_rows does not, but a SELECT of ours would.
-- Those of the engine's own sessions ($1: their name): where a read goes through the FIFO, and the server sends the beginning of a COPY and its failure at
-- once, the driver's stream fails before anybody listens. Only those of this role are seen, and may be cancelled.
SELECT count(pg_cancel_backend(r.pid))::int4 AS cancelled
FROM pg_stat_activity r
WHERE r.state = 'active' AND r.datname = current_database() AND r.usename = current_user AND r.application_name = $1
  AND (r.wait_event_type = 'Lock' OR EXISTS (SELECT FROM pg_locks w WHERE NOT w.granted AND w.pid <> r.pid AND r.pid = ANY (pg_blocking_pids(w.pid))))
