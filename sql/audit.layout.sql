-- What a capture function relies on: the table's key and, where the table has rules, its columns. The function that audit.refresh makes compares
-- this with what it was then; where they differ, it takes the way that names no column. NULL: nothing is known.
--
-- IMMUTABLE is a white lie with a purpose: capture calls this with the table as a regclass constant, so PostgreSQL evaluates it when it plans that
-- expression, once a session, and again after each change of the table, for the constant makes the plan depend on the table. So even
-- 1,600 columns cost a statement nothing. "Now" has to mean now and not a snapshot's past: names come from audit.column_name, and a dropped index
-- (the type of a key column changed) from pg_get_indexdef. What is read by queries alone is never wrong about these, only late to see a new key.
-- The registry is asked because a restored function carries the table's number in another database.
CREATE OR REPLACE FUNCTION audit.layout(tid integer, rel regclass) RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT concat(
    (SELECT json_agg(json_build_array(k.attnum, k.name, k.index::oid, pg_get_indexdef(k.index, 1, false) IS NOT NULL) ORDER BY k.position)
     FROM audit.key_columns(t.tracked) k),
    CASE WHEN audit.has_rules((t.tracked).rules)
      THEN (SELECT json_agg(json_build_array(c.attnum, c.name, c.rule) ORDER BY c.attnum) FROM audit.columns(t.tracked) c) END)
  FROM (SELECT tracked FROM audit.tracked_table tracked WHERE tracked.table_id = tid AND tracked.relid = rel) t
$$;
