-- The name of a column by its number, NULL for none. Read from the catalogue as it is now and not as of a snapshot: under REPEATABLE READ a
-- query of pg_attribute shows names of the past, and capture would name a column that is another one by now.
CREATE OR REPLACE FUNCTION audit.column_name(rel regclass, attnum smallint) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN has_column_privilege(rel::oid, attnum, 'SELECT') IS NOT NULL  -- null: no such column, or dropped
    THEN (pg_identify_object_as_address('pg_class'::regclass, rel, attnum)).object_names[3] END
$$;
