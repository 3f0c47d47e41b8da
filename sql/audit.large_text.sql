-- The text of a large value; empty where PostgreSQL can't build it (a bytea of 0.6 GB). For masks, which must not fail the application.
-- Called for values stored in more than 128 kB only, because the exception block costs a subtransaction; see audit.row_json.
CREATE OR REPLACE FUNCTION audit.large_text(value anyelement) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN format('%s', value);
EXCEPTION WHEN program_limit_exceeded OR out_of_memory OR internal_error THEN
  RETURN '';
END
$$;
