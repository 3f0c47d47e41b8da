-- What a capture function has to know of its registry row, as JSON; its relid is found when it runs.
CREATE OR REPLACE FUNCTION audit.capture_entry(tracked audit.tracked_table) RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT jsonb_build_object('table_id', tracked.table_id, 'rules', tracked.rules, 'attnums_of', tracked.attnums_of, 'context', tracked.context, 'capture', tracked.capture)::text
$$;
