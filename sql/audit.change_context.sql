-- Who makes a change and why, for tables that are tracked with "context": the application's role, application_name and sluice.context.
-- A sluice.context that is no JSON, or is longer than 8192 characters and so cut, is kept as a JSON string: it must not fail the application.
CREATE OR REPLACE FUNCTION audit.change_context() RETURNS json
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  given text := nullif(left(current_setting('sluice.context', true), 8192), '');
  parsed json;
BEGIN
  IF given IS NOT NULL THEN
    BEGIN
      parsed := given::json;
    EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
      parsed := to_json(given);
    END;
  END IF;
  -- The role of SET ROLE, which SECURITY DEFINER leaves alone; current_user would be the owner of schema audit.
  RETURN json_build_object('role', coalesce(nullif(current_setting('role'), 'none'), session_user), 'application_name', current_setting('application_name'), 'context', parsed);
END
$$;
