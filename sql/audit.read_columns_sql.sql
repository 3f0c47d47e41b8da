-- The select list with which rows of a table are read for a load, in attnum order, each column in the way that carries it exactly and fastest.
--   ways  {"<attnum>": way} of the columns that are wanted; a masked one is the text that capture makes of it, whatever is asked for
--     native   the value, of the type that audit.column_types gives
--     guarded  two columns: the value where the reader can take it, else null; and the text as of `text` where it can't, else null
--     plain    its cast to text, which is exact for numbers          json  the JSON text that capture writes of it
--     numbers  the same of an array, each number as a string
--     text     the JSON text, but of a JSON string its content; null where the table has no such column
--   source  the alias of the row     hash_key  the expression of the key for hashes
-- What DuckDB's reader can't take: numeric NaN, and times beyond its range (it counts microseconds from 1970, PostgreSQL from 2000).
CREATE OR REPLACE FUNCTION audit.read_columns_sql(tracked audit.tracked_table, ways jsonb, source text, hash_key text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT string_agg(CASE
      WHEN c.name IS NULL THEN 'NULL::text'
      WHEN c.rule IS NOT NULL THEN audit.masked_sql(c.rule, v.value, hash_key)
      WHEN w.way = 'native' THEN format('%s::%s', v.value, t.type)
      WHEN w.way = 'guarded' THEN format('CASE WHEN %3$s THEN %1$s::%2$s ELSE NULL::%2$s END, CASE WHEN NOT (%3$s) THEN to_json(%1$s) #>> ''{}'' END', v.value, t.type,
        CASE WHEN t.type LIKE 'numeric%' THEN format('%s <> ''NaN''', v.value) ELSE format('%1$s < ''290000-01-01'' AND isfinite(%1$s)', v.value) END)
      WHEN w.way = 'plain' THEN v.value || '::text'
      WHEN w.way = 'numbers' THEN format('to_json(%s::text[])::text', v.value)
      WHEN w.way = 'json' THEN format('nullif(to_json(%s)::text, ''null'')', v.value)
      ELSE format('to_json(%s) #>> ''{}''', v.value) END, ', ' ORDER BY w.attnum)
  FROM (SELECT e.key::smallint AS attnum, e.value AS way FROM jsonb_each_text(ways) e) w
  LEFT JOIN audit.columns(tracked) c ON c.attnum = w.attnum AND c.rule IS DISTINCT FROM 'exclude'
  CROSS JOIN LATERAL (SELECT format('%s.%I', source, c.name) AS value) v
  LEFT JOIN LATERAL (
    SELECT d.value -> 'type' ->> 'text' AS type FROM jsonb_array_elements(audit.column_types(tracked.relid)) d
    WHERE (d.value ->> 'attnum')::smallint = w.attnum AND w.way IN ('native', 'guarded')) t ON true
$$;
