-- What every install ends with: views were made anew and functions may have come, so each role that may swap gets the daemon's rights again.
CREATE OR REPLACE FUNCTION audit.refresh_grants() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  daemon name;
BEGIN
  FOR daemon IN
    SELECT r.rolname FROM pg_proc p CROSS JOIN LATERAL aclexplode(p.proacl) a JOIN pg_roles r ON r.oid = a.grantee
    WHERE p.oid = 'audit.swap(integer)'::regprocedure AND a.privilege_type = 'EXECUTE' AND a.grantee <> p.proowner
  LOOP
    PERFORM audit.grant_daemon(daemon);
  END LOOP;
END
$$;
