-- The columns that a table has now, in order, each with its rule (null: none). All that capture writes of a table with rules is built from these.
-- Rules go by column number, so that a rename keeps them. After a restore the numbers may be others (a dump leaves dropped columns out), which
-- attnums_of tells; then the names count, and should one of them be missing, nothing but the key is written.
-- Not by a query of pg_attribute: see audit.column_name.
CREATE OR REPLACE FUNCTION audit.columns(tracked audit.tracked_table) RETURNS TABLE (attnum smallint, name text, rule text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
  WITH present (attnum, name) AS MATERIALIZED (
    SELECT g::smallint, (pg_identify_object_as_address('pg_class'::regclass, tracked.relid, g)).object_names[3]
    FROM generate_series(1, 1600) g WHERE has_column_privilege(tracked.relid::oid, g::smallint, 'SELECT') IS NOT NULL
  ), by_number (yes) AS (
    SELECT tracked.attnums_of = tracked.relid::oid
  ), known (attnum, name, rule) AS (
    SELECT r.key::smallint, r.value ->> 'name', r.value ->> 'rule' FROM jsonb_each(tracked.rules) r
  ), lost (yes) AS (
    SELECT NOT by_number.yes AND EXISTS (SELECT FROM known WHERE known.name NOT IN (SELECT present.name FROM present)) FROM by_number
  )
  SELECT p.attnum, p.name,
    CASE WHEN lost.yes AND NOT EXISTS (SELECT FROM audit.key_columns(tracked) k WHERE k.attnum = p.attnum) THEN 'exclude' ELSE k.rule END
  FROM present p CROSS JOIN by_number CROSS JOIN lost
  LEFT JOIN known k ON CASE WHEN by_number.yes THEN k.attnum = p.attnum ELSE k.name = p.name END
  ORDER BY p.attnum
$$;
