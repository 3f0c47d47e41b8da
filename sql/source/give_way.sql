-- Cancel those of our reads of tables that somebody waits for: an ALTER TABLE or a TRUNCATE of the application, and all who queue behind it.
-- Found by their text, for the reader may be DuckDB's; only those of this role are seen, and may be cancelled.
-- Not one that goes through the FIFO: where the server sends the beginning of a COPY and its failure at once, the driver's stream fails before anybody listens.
SELECT count(pg_cancel_backend(r.pid))::int4 AS cancelled
FROM pg_stat_activity r
WHERE r.state = 'active' AND r.datname = current_database() AND r.usename = current_user AND r.pid <> pg_backend_pid() AND r.query LIKE '%audit.read_rows(%' AND r.query NOT LIKE '%(FORMAT csv)'
  AND EXISTS (SELECT FROM pg_locks w WHERE NOT w.granted AND w.pid <> r.pid AND r.pid = ANY (pg_blocking_pids(w.pid)))
