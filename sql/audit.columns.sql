-- The columns that a table has now, in order, each with its rule (null: none). All that capture writes of a table with rules is built from these.
-- Rules go by column number, so that a rename keeps them; one whose column was dropped waits for a column of its name, as migrations that replace
-- a column make it. After a restore the numbers may be others (a dump leaves dropped columns out), which attnums_of tells; then the names count,
-- and should one of them be missing, nothing but the key is written.
-- Not by a query of pg_attribute: see audit.column_name.
CREATE OR REPLACE FUNCTION audit.columns(tracked audit.tracked_table) RETURNS TABLE (attnum smallint, name text, rule text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
  WITH RECURSIVE slot (attnum, name) AS (  -- also dropped ones; as many as there are, which pg_class may not show yet
    SELECT 1, (pg_identify_object_as_address('pg_class'::regclass, tracked.relid, 1)).object_names[3]
    UNION ALL
    SELECT s.attnum + 1, (pg_identify_object_as_address('pg_class'::regclass, tracked.relid, s.attnum + 1)).object_names[3]
    FROM slot s WHERE s.name IS NOT NULL
  ), present (attnum, name) AS MATERIALIZED (
    SELECT s.attnum::smallint, s.name FROM slot s WHERE has_column_privilege(tracked.relid::oid, s.attnum::smallint, 'SELECT') IS NOT NULL
  ), known (attnum, name, rule) AS (
    SELECT CASE WHEN tracked.attnums_of = tracked.relid::oid THEN r.key::smallint END, r.value ->> 'name', r.value ->> 'rule'
    FROM jsonb_each(tracked.rules) r
  ), lost (yes) AS (
    SELECT EXISTS (SELECT FROM known k WHERE k.attnum IS NULL AND k.name NOT IN (SELECT p.name FROM present p))
  )
  SELECT p.attnum, p.name,
    CASE WHEN lost.yes AND NOT EXISTS (SELECT FROM audit.key_columns(tracked) k WHERE k.attnum = p.attnum) THEN 'exclude' ELSE k.rule END
  FROM present p CROSS JOIN lost
  LEFT JOIN LATERAL (
    SELECT known.rule FROM known LEFT JOIN present ruled ON ruled.attnum = known.attnum
    WHERE known.rule IS NOT NULL AND (known.attnum = p.attnum OR ruled.attnum IS NULL AND known.name = p.name)
    ORDER BY ruled.attnum LIMIT 1) k ON true
  ORDER BY p.attnum
$$;
