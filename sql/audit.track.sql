-- Start to capture a table's changes, or refresh what captures them (new partitions, another key, other rules). Safe to run again.
-- Locks the table SHARE ROW EXCLUSIVE: it waits for open writers and makes new ones wait meanwhile, so set lock_timeout and retry.
--   options  an object, all of it optional; NULL keeps what was said before, {} takes it back
--     key      columns that tell rows apart where no fit index does; the caller answers for their being unique
--     exclude  columns that are never logged          mask   {column: hash | constant | null | keep-last-<n>}: logged as such a text
--     capture  row (the default): cheapest for statements of one row or a few; statement: for those of thousands of rows
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
  capture_function regprocedure;
  unknown text := (SELECT min(k.name) FROM jsonb_object_keys(options) AS k (name) WHERE k.name NOT IN ('key', 'exclude', 'mask', 'types', 'evolve', 'capture'));
BEGIN
  IF why IS NOT NULL THEN
    RAISE EXCEPTION '% can''t be tracked: %', rel, why USING ERRCODE = 'feature_not_supported';
  ELSIF unknown IS NOT NULL THEN
    RAISE EXCEPTION 'unknown option %: key, exclude, mask, types, evolve and capture are known', quote_literal(unknown) USING ERRCODE = 'invalid_parameter_value';
  ELSIF options ->> 'capture' NOT IN ('row', 'statement') THEN
    RAISE EXCEPTION 'capture: % is neither row nor statement', quote_literal(options ->> 'capture') USING ERRCODE = 'invalid_parameter_value';
  END IF;
  EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', rel);
  INSERT INTO audit.tracked_table AS t (relid, schema_name, table_name, capture, fingerprint)
    SELECT rel, n.nspname, c.relname, 'row', '{}'
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = rel
    ON CONFLICT (relid) DO UPDATE SET schema_name = excluded.schema_name, table_name = excluded.table_name;
  IF options IS NOT NULL THEN
    UPDATE audit.tracked_table t SET rules = audit.column_rules(rel, track.options), attnums_of = rel::oid,
      options = jsonb_strip_nulls(jsonb_build_object('types', track.options -> 'types', 'evolve', track.options -> 'evolve', 'capture', track.options -> 'capture'))
      WHERE t.relid = rel;
  END IF;
  -- Only row triggers are cloned to partitions; and those look keys up, which takes an index.
  UPDATE audit.tracked_table t SET capture = CASE
      WHEN EXISTS (SELECT FROM pg_class c WHERE c.oid = rel AND c.relkind = 'p') THEN 'row'
      WHEN t.options ? 'capture' THEN t.options ->> 'capture'
      WHEN EXISTS (SELECT FROM jsonb_each(t.rules) r WHERE r.value ? 'key') THEN 'statement'
      ELSE 'row' END
    WHERE t.relid = rel;
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
  -- Of the other way of capture: while they last, a change would be logged twice.
  FOR wanted IN
    SELECT g.tgname, r.relid::regclass AS on_table FROM (SELECT rel AS relid UNION SELECT p.relid FROM audit.partitions(rel) p) r
    -- OFFSET 0: by the index, not all triggers there are.
    CROSS JOIN LATERAL (SELECT t.tgname, t.tgrelid, t.tgparentid FROM pg_trigger t WHERE t.tgrelid = r.relid OFFSET 0) g
    WHERE g.tgparentid = 0 AND g.tgname LIKE 'sluice\_%\_' || tracked.table_id AND NOT EXISTS (SELECT FROM audit.triggers(tracked.table_id, rel, tracked.capture) w WHERE w.on_table = g.tgrelid AND w.trigger_name = g.tgname)
  LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', wanted.tgname, wanted.on_table);
  END LOOP;
  FOR capture_function IN
    SELECT f FROM audit.capture_functions(tracked.table_id) f JOIN pg_proc p ON p.oid = f
    WHERE NOT EXISTS (SELECT FROM audit.capture_bodies(tracked) w WHERE w.name = p.proname)
  LOOP
    EXECUTE format('DROP FUNCTION %s', capture_function);
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
