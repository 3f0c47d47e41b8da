-- The triggers that a tracked table should have, as the statements that make them.
--   tid, rel, kind (statement | row), as in audit.tracked_table
-- Names carry the id: ATTACH PARTITION of a tracked table clones the root's row triggers onto it, and equal names would make it fail.
-- None names a column: PostgreSQL refuses to change the type of a column that a trigger names, or to drop it.
-- Returns one row a trigger: on_table, trigger_name, statement.
CREATE OR REPLACE FUNCTION audit.triggers(tid integer, rel regclass, kind text)
RETURNS TABLE (on_table regclass, trigger_name text, statement text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
  WITH event (op, letter, transition) AS (
    VALUES ('INSERT', 'i', 'REFERENCING NEW TABLE AS new_rows'),
           ('UPDATE', 'u', 'REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows'),
           ('DELETE', 'd', 'REFERENCING OLD TABLE AS old_rows')
  ), relation (relid) AS (  -- statement triggers are not cloned to partitions, so each gets its own
    SELECT t.relid FROM audit.partitions(rel) t
    UNION
    SELECT rel
  ), wanted (on_table, trigger_name, definition) AS (
    SELECT rel, 'sluice_begin_' || e.letter, format(
        'BEFORE %s ON %s FOR EACH STATEMENT WHEN (pg_catalog.set_config(%3$L, coalesce(pg_catalog.current_setting(%3$L, true), '''') || %4$L, true) IS NULL) EXECUTE FUNCTION audit.capture_begin()',
        e.op, rel, 'sluice.t' || tid, e.letter)
      FROM event e WHERE kind = 'statement'
    UNION ALL
    SELECT rel, 'sluice_capture_' || e.letter, format('AFTER %s ON %s %s FOR EACH STATEMENT EXECUTE FUNCTION audit.capture_%s()', e.op, rel, e.transition, tid)
      FROM event e WHERE kind = 'statement'
    UNION ALL
    SELECT rel, 'sluice_capture_' || e.letter, format('AFTER %s ON %s FOR EACH ROW EXECUTE FUNCTION audit.capture_%s_%s()', e.op, rel, tid, e.letter)
      FROM event e WHERE kind = 'row'
    UNION ALL
    SELECT r.relid, 'sluice_truncate', format('AFTER TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION audit.capture_truncate(%L)', r.relid, tid)
      FROM relation r
  )
  SELECT w.on_table, w.trigger_name || '_' || tid, format('CREATE OR REPLACE TRIGGER %I %s', w.trigger_name || '_' || tid, w.definition) FROM wanted w
$$;
