-- Give a role what the daemon needs and nothing else: no superuser, no right on any application table, not the key of masked values.
CREATE OR REPLACE FUNCTION audit.grant_daemon(daemon name) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  EXECUTE format('GRANT USAGE ON SCHEMA audit TO %I', daemon);
  EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA audit TO %I', daemon);
  EXECUTE format('REVOKE ALL ON audit.hash_key FROM %I', daemon);
  EXECUTE format('GRANT EXECUTE ON FUNCTION audit.version(), audit.swap(integer), audit.move(integer), audit.settle(uuid), audit.finish(uuid, bigint, integer),'
    || ' audit.lost_span(), audit.begin_epoch(uuid), audit.advance(bigint), audit.refresh(integer, boolean), audit.pause(integer[]), audit.resume(integer[]), audit.paused_spans(), audit.forget_pause(xid8), audit.fingerprint(regclass), audit.key_of(regclass), audit.partitions(regclass), audit.refusal(regclass), audit.orphans(),'
    || ' audit.triggers(integer, regclass, text), audit.key_columns(audit.tracked_table), audit.columns(audit.tracked_table), audit.column_name(regclass, smallint),'
    || ' audit.rules_refusal(audit.tracked_table), audit.is_stale(integer), audit.column_types(regclass),'
    || ' audit.read_rows(integer, oid, jsonb, bigint, bigint, text[], boolean, smallint[]), audit.direct_rows_sql(integer, oid, jsonb, bigint, bigint, boolean, smallint[]),'
    || ' audit.rows_sql(audit.tracked_table, oid, jsonb, text, boolean, smallint[]), audit.pages_sql(bigint, bigint), audit.has_rules(jsonb), audit.request_load(integer, text, real), audit.check_triggers(integer[]), audit.report_load(uuid, jsonb) TO %I', daemon);
END
$$;
