-- The body of a table's capture function.
CREATE OR REPLACE FUNCTION audit.capture_sql(tracked audit.tracked_table) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE
    WHEN tracked.paused_at IS NOT NULL AND tracked.resumed_at IS NULL THEN audit.capture_paused_sql(tracked)
    WHEN tracked.capture = 'statement' THEN audit.capture_statement_sql(tracked)
    ELSE audit.capture_row_sql(tracked)
  END
$$;
