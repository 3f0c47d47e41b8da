-- What a capture function relies on: the table's key and, where the table has rules, its columns; where it looks into the table, its name too, and that it may.
-- The function that audit.refresh makes compares
-- this with what it was then; where they differ, it takes the way that names no column. NULL: nothing is known.
--
-- IMMUTABLE is a white lie with a purpose: capture calls this with the table as a regclass constant, so PostgreSQL evaluates it when it plans that
-- expression, once a session, and again after each change of the table, for the constant makes the plan depend on the table. So even
-- 1,600 columns cost a statement nothing. "Now" has to mean now and not a snapshot's past: names come from audit.column_name or as it does, and
-- has_table_privilege is null for a dropped index (the type of a key column changed). What is read by queries alone is never wrong about these, only
-- late to see a new key. Not from pg_get_indexdef: it locks the table, and audit.refresh and audit.status would wait for who has truncated it and
-- not committed yet. The registry is asked because a restored function carries the table's number in another database.
--
-- PL/pgSQL with two small queries, for a session's first UPDATE waits for it: all in one SQL query took 5 ms, most of it planning, this takes 1.4 ms.
-- So the key of a table without rules is looked up here, though audit.key_columns would find the same: 3.1 against 5.3 ms for a session's first call.
CREATE OR REPLACE FUNCTION audit.layout(tid integer, rel regclass) RETURNS text
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  tracked audit.tracked_table;
  key_index pg_index;
  parts text := '';
BEGIN
  SELECT * INTO tracked FROM audit.tracked_table t WHERE t.table_id = tid AND t.relid = rel;
  IF tracked.table_id IS NULL THEN
    RETURN NULL;
  END IF;
  IF tracked.capture = 'row' THEN
    IF NOT has_table_privilege(rel, 'SELECT') OR row_security_active(rel) THEN
      RETURN NULL;
    END IF;
    parts := rel::text || ',';
  END IF;
  IF tracked.rules <> '{}' THEN
    RETURN parts || (SELECT json_build_array(
      (SELECT json_agg(json_build_array(k.attnum, k.name, k.index::oid, has_table_privilege(k.index::oid, 'SELECT') IS NOT NULL) ORDER BY k.position)
       FROM audit.key_columns(tracked) k),
      (SELECT json_agg(json_build_array(c.attnum, c.name, c.rule) ORDER BY c.attnum) FROM audit.columns(tracked) c WHERE audit.has_rules(tracked.rules))))::text;
  END IF;
  SELECT * INTO key_index FROM pg_index i WHERE i.indrelid = rel AND i.indisprimary AND i.indimmediate AND i.indisvalid;
  IF NOT FOUND THEN
    SELECT * INTO key_index FROM pg_index i WHERE i.indexrelid = audit.key_of(rel);
  END IF;
  IF NOT FOUND THEN
    RETURN 'no key';
  ELSIF has_table_privilege(key_index.indexrelid, 'SELECT') IS NULL THEN
    RETURN NULL;
  END IF;
  parts := parts || key_index.indexrelid::text;
  FOR i IN 0..key_index.indnkeyatts - 1 LOOP
    parts := parts || ',' || quote_ident((pg_identify_object_as_address('pg_class'::regclass, rel, key_index.indkey[i])).object_names[3]);
  END LOOP;
  RETURN parts;
END
$$;
