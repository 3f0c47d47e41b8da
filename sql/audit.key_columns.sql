-- The columns of a table's key, in order: those that the user named at track, else those of the index audit.key_of. No row: no key.
-- index and opclass say how a key is looked up; of a named key they are those of any index that has the column, null where there is none.
-- A named key of which a column was dropped is none: what is left need not be unique.
CREATE OR REPLACE FUNCTION audit.key_columns(tracked audit.tracked_table)
RETURNS TABLE ("position" bigint, attnum smallint, name text, index regclass, opclass oid)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
  WITH named (attnum) AS (
    SELECT CASE WHEN tracked.attnums_of = tracked.relid::oid THEN r.key::smallint
      ELSE (SELECT a.attnum FROM pg_attribute a WHERE a.attrelid = tracked.relid AND a.attname = r.value ->> 'name' AND NOT a.attisdropped) END
    FROM jsonb_each(tracked.rules) r WHERE r.value ? 'key'
  )
  SELECT row_number() OVER (ORDER BY n.attnum), n.attnum, audit.column_name(tracked.relid, n.attnum), i.indexrelid::regclass, i.opclass
  FROM named n LEFT JOIN LATERAL (
    SELECT i.indexrelid, k.opclass
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam AND m.amname = 'btree'
    CROSS JOIN LATERAL unnest(i.indkey[0:i.indnkeyatts - 1], i.indclass[0:i.indnkeyatts - 1]) AS k (attnum, opclass)
    WHERE i.indrelid = tracked.relid AND i.indisvalid AND k.attnum = n.attnum
    ORDER BY i.indexrelid LIMIT 1) i ON true
  WHERE NOT EXISTS (SELECT FROM named gone WHERE audit.column_name(tracked.relid, gone.attnum) IS NULL)
  UNION ALL
  SELECT k.position, k.attnum, audit.column_name(tracked.relid, k.attnum), i.indexrelid::regclass, k.opclass
  FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey[0:i.indnkeyatts - 1], i.indclass[0:i.indnkeyatts - 1]) WITH ORDINALITY AS k (attnum, opclass, position)
  WHERE i.indexrelid = audit.key_of(tracked.relid) AND NOT EXISTS (SELECT FROM named)
$$;
