-- The condition that an UPDATE has left its row's key as it was, byte by byte: 1.0 and 1.00 are two keys. Evaluated with each UPDATE of a row, so the
-- common types have the cheaper way. A table without a key: true.
CREATE OR REPLACE FUNCTION audit.key_kept_sql(tracked audit.tracked_table) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce(string_agg(format(
      CASE WHEN c.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'uuid'::regtype) THEN 'OLD.%1$I OPERATOR(pg_catalog.=) NEW.%1$I'
        ELSE 'pg_catalog.record_image_eq(ROW(OLD.%1$I), ROW(NEW.%1$I))' END, k.name), ' AND ' ORDER BY k.position), 'true')
  FROM audit.key_columns(tracked) k
  LEFT JOIN pg_attribute c ON c.attrelid = tracked.relid AND c.attnum = k.attnum
$$;
