-- What doctor looks at beside audit.status, as one row.
SELECT
  current_setting('server_version_num')::int4 AS version_num,
  current_setting('server_version') AS version,
  pg_is_in_recovery() AS standby,
  current_user AS role,
  (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS superuser,
  current_setting('statement_timeout') AS statement_timeout,
  current_setting('autovacuum') AS autovacuum,
  extract(epoch FROM clock_timestamp())::float8 * 1000 AS clock_ms,
  (SELECT array_agg(s.setdatabase::text || ':' || s.setrole::regrole::text) FROM pg_db_role_setting s, unnest(s.setconfig) c
   WHERE c LIKE 'session\_replication\_role=%' AND c NOT LIKE '%=origin' AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))) AS replica_roles
