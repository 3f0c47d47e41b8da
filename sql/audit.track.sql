-- Start to capture a table's changes, or refresh what captures them (new partitions, another key, other rules). Safe to run again.
-- Locks the table SHARE ROW EXCLUSIVE: it waits for open writers and makes new ones wait meanwhile, so set lock_timeout and retry.
--   options  an object, all of it optional; NULL keeps what was said before, {} takes it back
--     key      columns that tell rows apart where no fit index does; the caller answers for their being unique
--     exclude  columns that are never logged          mask   {column: hash | constant | null | keep-last-<n>}: logged as such a text
--     types, evolve  kept for the lake
--   context  true: log role, application_name and sluice.context with each change; NULL: as before
-- Returns the registry's row. Raises feature_not_supported with the reason for a table that can't be tracked (or not so), undefined_column or
-- invalid_parameter_value for options that make no sense.
CREATE OR REPLACE FUNCTION audit.track(rel regclass, options jsonb DEFAULT NULL, context boolean DEFAULT NULL) RETURNS audit.tracked_table
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  why text := audit.refusal(rel);
  tracked audit.tracked_table;
  wanted record;
  was jsonb;
  unknown text := (SELECT min(k.name) FROM jsonb_object_keys(options) AS k (name) WHERE k.name NOT IN ('key', 'exclude', 'mask', 'types', 'evolve'));
BEGIN
  IF why IS NOT NULL THEN
    RAISE EXCEPTION '% can''t be tracked: %', rel, why USING ERRCODE = 'feature_not_supported';
  ELSIF unknown IS NOT NULL THEN
    RAISE EXCEPTION 'unknown option %: key, exclude, mask, types and evolve are known', quote_literal(unknown) USING ERRCODE = 'invalid_parameter_value';
  END IF;
  EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', rel);
  INSERT INTO audit.tracked_table AS t (relid, schema_name, table_name, capture, fingerprint)
    SELECT rel, n.nspname, c.relname, CASE c.relkind WHEN 'p' THEN 'row' ELSE 'statement' END, '{}'
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = rel
    ON CONFLICT (relid) DO UPDATE SET schema_name = excluded.schema_name, table_name = excluded.table_name;
  IF options IS NOT NULL THEN
    UPDATE audit.tracked_table t SET rules = audit.column_rules(rel, track.options), attnums_of = rel::oid,
      options = jsonb_strip_nulls(jsonb_build_object('types', track.options -> 'types', 'evolve', track.options -> 'evolve'))
      WHERE t.relid = rel;
  END IF;
  UPDATE audit.tracked_table t SET fingerprint = audit.fingerprint(rel), context = coalesce(track.context, t.context) WHERE t.relid = rel RETURNING t.* INTO tracked;
  why := audit.rules_refusal(tracked);
  IF why IS NOT NULL THEN
    RAISE EXCEPTION '% can''t be tracked: %', rel, why USING ERRCODE = 'feature_not_supported';
  END IF;
  PERFORM audit.refresh(tracked.table_id);
  was := audit.trigger_state(tracked.table_id);
  FOR wanted IN SELECT * FROM audit.triggers(tracked.table_id, rel, tracked.capture) LOOP
    EXECUTE wanted.statement;
  END LOOP;
  -- Nobody could write in between. Where they were not right before they are left to audit.check_triggers.
  UPDATE audit.tracked_table t SET triggers = made.triggers
    FROM (
      SELECT jsonb_object_agg(m.key, CASE WHEN tracked.triggers -> m.key <> was -> m.key THEN tracked.triggers -> m.key ELSE m.value END) AS triggers
      FROM jsonb_each(audit.trigger_state(tracked.table_id)) m
    ) made
    WHERE t.table_id = tracked.table_id AND (tracked.triggers IS NULL OR tracked.triggers ? rel::oid::text)
    RETURNING t.* INTO tracked;
  PERFORM audit.drop_orphans(rel);
  DELETE FROM audit.fault WHERE table_id = tracked.table_id;
  RETURN tracked;
END
$$;
