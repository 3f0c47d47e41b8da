-- The SELECT with which audit.read_rows reads rows of a leaf, $1 being the key for hashes. ways, placed, checked: see there; wanted: the condition, on r.
-- Its text tells nothing of any row.
CREATE OR REPLACE FUNCTION audit.rows_sql(tracked audit.tracked_table, leaf oid, ways jsonb, wanted text, placed boolean, checked smallint[]) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT format('SELECT %s %s%s FROM ONLY %s r WHERE %s', CASE WHEN placed THEN 'r.ctid::text,' END, audit.read_columns_sql(tracked, ways, 'r', '$1'),
    (SELECT ', ' || string_agg(format('r.%I = ''NaN''', c.name), ' OR ') FROM audit.columns(tracked) c WHERE c.attnum = ANY (checked)), leaf::regclass, wanted)
$$;
