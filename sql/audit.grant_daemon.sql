-- Give a role what the daemon needs and nothing else: no superuser, no right on any application table.
CREATE OR REPLACE FUNCTION audit.grant_daemon(daemon name) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  EXECUTE format('GRANT USAGE ON SCHEMA audit TO %I', daemon);
  EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA audit TO %I', daemon);
  EXECUTE format('GRANT EXECUTE ON FUNCTION audit.version(), audit.swap(integer), audit.move(integer), audit.settle(uuid), audit.finish(uuid, bigint, integer),'
    || ' audit.lost_span(), audit.begin_epoch(), audit.fingerprint(regclass), audit.key_of(regclass), audit.columns(regclass), audit.refusal(regclass), audit.orphans(),'
    || ' audit.triggers(integer, regclass, text, regclass), audit.key_changed_sql(integer, regclass) TO %I', daemon);
END
$$;
