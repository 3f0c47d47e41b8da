-- A statement that logs rows as they come, with the table's rules applied.
--   op       I, U or D            source  a FROM item with alias n: the rows
--   params   what the statement calls the key for hashes and the context: variables of the capture function, or $1 and $2
--   only_if  an expression without columns that must be true for anything to be logged
-- OFFSET 0 keeps the row from being put together for each expression that takes it whole: 1,300 instructions of 30,000. A row above 128 kB, which may be
-- too large, has its image made twice.
CREATE OR REPLACE FUNCTION audit.log_sql(tracked audit.tracked_table, op text, source text, params text[], only_if text DEFAULT NULL) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT format('INSERT INTO audit.cdc (cdc_op, table_id, data%s) SELECT %L::"char", %s, %s%s FROM (SELECT (n.*)::record AS whole FROM %s OFFSET 0) s'
      || ' WHERE (pg_column_size(s.whole) <= 131072 OR %4$s IS NOT NULL)%7$s',
    CASE WHEN tracked.context THEN ', context' END, op, tracked.table_id, audit.image_sql(tracked, 's.whole'), CASE WHEN tracked.context THEN ', ' || params[2] END,
    CASE WHEN audit.has_rules(tracked.rules) THEN format('(SELECT %s FROM %s OFFSET 0) n', audit.columns_sql(tracked, 'n', params[1]), source) ELSE source END,
    ' AND ' || only_if)
$$;
