-- Drop the orphans (see audit.orphans) of a table and its partitions. They are looked for only where a trigger of ours has another id than the table's:
-- that question is answered by an index, the other one reads the triggers of all tables (35 ms with 1,000 of them), and each track asks it.
CREATE OR REPLACE FUNCTION audit.drop_orphans(rel regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  tid integer := (SELECT t.table_id FROM audit.tracked_table t WHERE t.relid = rel);
  relids oid[] := ARRAY(SELECT rel::oid UNION SELECT p.relid::oid FROM audit.partitions(rel) p);
  orphan record;
BEGIN
  IF NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = ANY (relids) AND g.tgname ~ '^sluice_.*_\d+$'
      AND substring(g.tgname FROM '\d+$')::integer IS DISTINCT FROM tid) THEN
    RETURN;
  END IF;
  FOR orphan IN SELECT o.* FROM audit.orphans() o WHERE o.on_table = ANY (relids) LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', orphan.trigger_name, orphan.on_table);
  END LOOP;
END
$$;
