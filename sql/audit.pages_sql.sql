-- The condition for rows of a range of pages, on r.
CREATE OR REPLACE FUNCTION audit.pages_sql(first_page bigint, pages bigint) RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT format('r.ctid >= ''(%s,0)''::tid AND r.ctid < ''(%s,0)''::tid', first_page, least(first_page + pages, 4294967295))
$$;
