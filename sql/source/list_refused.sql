-- Relations that can't be tracked, with the reason: views, partitions, foreign tables, tables of PostgreSQL and of schema audit.
SELECT r.* FROM (
  SELECT n.nspname AS schema, c.relname AS name, audit.refusal(c.oid) AS refusal
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')) r
WHERE r.refusal IS NOT NULL
ORDER BY 1, 2
