-- The version of what is installed here, raised when functions and daemon must change together. `run` compares it with its own.
CREATE OR REPLACE FUNCTION audit.version() RETURNS integer
LANGUAGE sql IMMUTABLE
AS $$ SELECT 1 $$;
