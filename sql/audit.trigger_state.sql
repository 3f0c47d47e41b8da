-- What stands of a tracked table's triggers, as an object: for its own oid and those of its partitions a text that is another one as soon as a trigger was
-- disabled, enabled, dropped or made anew; null where one is missing, or off for ordinary sessions. Held against tracked_table.triggers.
-- Whoever changes triggers waits for all who have written to the table, prepared transactions too, and new ones wait for him (SHARE ROW EXCLUSIVE): so
-- when triggers are seen to be right, all that was written without them is committed, but for what session_replication_role hides.
CREATE OR REPLACE FUNCTION audit.trigger_state(tid integer) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN (
    WITH relation (relid, root, capture) AS (
      SELECT t.relid, t.relid, t.capture FROM audit.tracked_table t WHERE t.table_id = tid
      UNION
      SELECT p.relid, t.relid, t.capture FROM audit.tracked_table t JOIN pg_class c ON c.oid = t.relid AND c.relkind = 'p'
        CROSS JOIN LATERAL audit.partitions(t.relid) p WHERE t.table_id = tid
    ), wanted (relid, name) AS MATERIALIZED (
      SELECT w.on_table, w.trigger_name FROM relation r CROSS JOIN LATERAL audit.triggers(tid, r.root, r.capture) w WHERE r.relid = r.root
    )
    SELECT jsonb_object_agg(r.relid::oid, CASE
        WHEN found.any_off OR EXISTS (SELECT FROM wanted w WHERE w.relid = r.relid AND (w.name = ANY (found.names)) IS NOT TRUE) THEN NULL
        ELSE found.made END)
    FROM relation r
    CROSS JOIN LATERAL (  -- clones on partitions included; names: a join would read the triggers of all tables
      SELECT md5(string_agg(concat_ws(' ', g.tgname, g.xmin), ',' ORDER BY g.tgname)) AS made, bool_or(g.tgenabled IN ('D', 'R')) AS any_off,
        array_agg(g.tgname::text) AS names
      FROM pg_trigger g WHERE g.tgrelid = r.relid AND g.tgname LIKE 'sluice\_%\_' || tid
    ) found
  );
END
$$;
