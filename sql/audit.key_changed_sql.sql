-- The WHEN expression that tells whether an UPDATE changed the key, compared byte by byte (1.0 and 1.00 are two keys), and then marks
-- the running statements of this table by capitals (see audit.capture_statement). Always false: its trigger's function is never called.
-- Stored by PostgreSQL as column numbers, so that it survives a renamed column. CASE, because AND promises no order.
-- record_image_ne by name and not as its operator *<>: pg_dump prints that as a comparison column by column, which can't be restored.
-- NULL for a table without a key.
CREATE OR REPLACE FUNCTION audit.key_changed_sql(tid integer, key_index regclass) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT format(
    'CASE WHEN pg_catalog.record_image_ne(ROW(%s), ROW(%s))'
    || ' THEN pg_catalog.set_config(%3$L, pg_catalog.upper(coalesce(nullif(pg_catalog.current_setting(%3$L, true), ''''), ''x'')), true) IS NULL ELSE false END',
    string_agg(format('OLD.%I', a.attname), ', ' ORDER BY a.attnum), string_agg(format('NEW.%I', a.attname), ', ' ORDER BY a.attnum), 'sluice.t' || tid)
  FROM pg_index i
  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1])
  WHERE i.indexrelid = key_index
  HAVING count(*) > 0
$$;
