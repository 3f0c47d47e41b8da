-- The expression of a number that stands for a row's key, the same for the same captured text. NULL for a table without a key.
--   source  the alias of the row
-- Its sum over old and over new rows tells whether a statement left the set of keys as it was: two different sets have one sum once in 2^64.
-- A key's text is that of its output function (ROW(…)::text), never of a cast to text that an owner of the type may have defined;
-- integers, uuid and text need no detour. Those of a key without an index, whose types nothing guards, take it.
CREATE OR REPLACE FUNCTION audit.key_hash_sql(tracked audit.tracked_table, source text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  hash text;
  k record;
BEGIN
  FOR k IN
    SELECT format('%s.%I', source, c.name) AS value, CASE WHEN c.index = audit.key_of(tracked.relid) THEN a.atttypid::regtype END AS type
    FROM audit.key_columns(tracked) c JOIN pg_attribute a ON a.attrelid = tracked.relid AND a.attnum = c.attnum
    ORDER BY c.position
  LOOP
    hash := format(CASE
      WHEN k.type IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) THEN 'hashint8extended(%s, %s)'
      WHEN k.type = 'uuid'::regtype THEN 'uuid_hash_extended(%s, %s)'
      WHEN k.type IN ('text'::regtype, 'varchar'::regtype) THEN 'hashtextextended(%s COLLATE "C", %s)'
      ELSE 'hashtextextended(ROW(%s)::text COLLATE "C", %s)' END, k.value, coalesce(hash, '0'));
  END LOOP;
  RETURN hash;
END
$$;
