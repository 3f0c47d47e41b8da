-- The types of a table's columns, as a row's capture function knew them when it was made. Where they differ, the settings that are pinned for it
-- (audit.capture_settings) may not be all that a value's text depends on, and the row's JSON is made by audit.row_json, which pins them all.
--
-- IMMUTABLE for the same purpose as audit.layout: evaluated when the expression is planned, and again after each change of the table. A transaction under
-- REPEATABLE READ that is older than the change may still see the types of before.
CREATE OR REPLACE FUNCTION audit.types_of(rel regclass) RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT string_agg(a.atttypid::text, ',' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = rel AND a.attnum > 0 AND NOT a.attisdropped
$$;
