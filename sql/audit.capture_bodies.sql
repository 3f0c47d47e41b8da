-- A table's capture functions, as they should be: audit.capture_<id>, called for each statement, or audit.capture_<id>_<i, u or d>, called for each row.
-- Returns their names in schema audit and their bodies.
CREATE OR REPLACE FUNCTION audit.capture_bodies(tracked audit.tracked_table) RETURNS TABLE (name text, body text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT f.name, CASE
    WHEN tracked.paused_at IS NOT NULL AND tracked.resumed_at IS NULL THEN audit.capture_paused_sql(tracked)
    WHEN tracked.capture = 'statement' THEN audit.capture_statement_sql(tracked)
    ELSE audit.capture_row_sql(tracked, f.op) END
  FROM (
    SELECT 'capture_' || tracked.table_id, NULL WHERE tracked.capture = 'statement'
    UNION ALL
    SELECT format('capture_%s_%s', tracked.table_id, lower(o.op)), o.op FROM (VALUES ('I'), ('U'), ('D')) o (op) WHERE tracked.capture = 'row'
  ) f (name, op)
$$;
