-- A partition and all below it, or a partitioned table and all below it, itself included; no row for any other table.
-- What pg_partition_tree says, but without its lock on each of them: that waits for whoever has truncated or altered one and not committed yet, and
-- holds the others meanwhile, so that the application would wait for us, or be told of a deadlock.
CREATE OR REPLACE FUNCTION audit.partitions(rel regclass) RETURNS TABLE (relid regclass, isleaf boolean)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
  WITH RECURSIVE tree (relid) AS (
    SELECT c.oid FROM pg_class c WHERE c.oid = rel AND (c.relkind = 'p' OR c.relispartition)
    UNION ALL
    SELECT i.inhrelid FROM tree t JOIN pg_inherits i ON i.inhparent = t.relid AND NOT i.inhdetachpending
  )
  SELECT t.relid::regclass, c.relkind <> 'p' FROM tree t JOIN pg_class c ON c.oid = t.relid
$$;
