-- Find tables that were written to without their triggers: those whose triggers are right now, but not the ones that were noted last (audit.trigger_state).
-- For each a load is asked for, and the triggers are noted, in one transaction. A partition that is new is only noted: it was captured since it came.
--   ids  of tracked tables
-- Returns those with something to tell: state off (triggers are missing or disabled: nothing is done yet) or load (one was asked for).
CREATE OR REPLACE FUNCTION audit.check_triggers(ids integer[]) RETURNS TABLE (id integer, schema name, name name, state text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  tracked audit.tracked_table;
  made jsonb;
BEGIN
  FOR id, schema, name IN
    SELECT t.table_id, n.nspname, c.relname FROM audit.tracked_table t JOIN pg_class c ON c.oid = t.relid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE t.table_id = ANY (ids) ORDER BY 1
  LOOP
    made := audit.trigger_state(id);
    SELECT t.* INTO tracked FROM audit.tracked_table t WHERE t.table_id = id;
    IF EXISTS (SELECT FROM jsonb_each(made) m WHERE m.value = 'null') THEN
      state := 'off';
      RETURN NEXT;
      CONTINUE;
    END IF;
    UPDATE audit.tracked_table t SET triggers = made
      WHERE t.table_id = id AND t.triggers IS DISTINCT FROM made AND t.triggers IS NOT DISTINCT FROM tracked.triggers;  -- else audit.track was here
    IF FOUND AND (NOT tracked.triggers ? tracked.relid::oid::text  -- restored from a dump
        OR EXISTS (SELECT FROM jsonb_each(tracked.triggers) was JOIN jsonb_each(made) has USING (key) WHERE was.value <> has.value)) THEN
      PERFORM audit.request_load(id, 'compare');
      state := 'load';
      RETURN NEXT;
    END IF;
  END LOOP;
END
$$;
