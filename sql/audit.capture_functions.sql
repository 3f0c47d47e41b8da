-- The capture functions of a tracked table that are there, whether they are right or belong to a way of capture that it no longer has.
CREATE OR REPLACE FUNCTION audit.capture_functions(tid integer) RETURNS SETOF regprocedure
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT p.oid::regprocedure
  FROM unnest(ARRAY['', '_i', '_u', '_d']) AS s (suffix)
  JOIN pg_proc p ON p.pronamespace = 'audit'::regnamespace AND p.proname = 'capture_' || tid || s.suffix
$$;
