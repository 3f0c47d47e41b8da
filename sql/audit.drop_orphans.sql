-- Drop the orphans (see audit.orphans) of a table and its partitions.
CREATE OR REPLACE FUNCTION audit.drop_orphans(rel regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  orphan record;
BEGIN
  FOR orphan IN SELECT o.* FROM audit.orphans() o WHERE o.on_table = rel OR o.on_table IN (SELECT p.relid FROM audit.partitions(rel) p) LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', orphan.trigger_name, orphan.on_table);
  END LOOP;
END
$$;
