-- A statement that logs rows as they come, with the table's rules applied.
--   op       I, U or D            source  a FROM item with alias n: the rows
--   params   what the statement calls the key for hashes and the context: variables of the capture function, or $1 and $2
--   only_if  an expression without columns that must be true for anything to be logged
-- OFFSET 0 keeps a row's image from being made twice.
CREATE OR REPLACE FUNCTION audit.log_sql(tracked audit.tracked_table, op text, source text, params text[], only_if text DEFAULT NULL) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT format('INSERT INTO audit.cdc (cdc_op, table_id, data%s) SELECT %L::"char", %s, s.image%s FROM (SELECT %s AS image FROM %s OFFSET 0) s WHERE s.image IS NOT NULL%s',
    CASE WHEN tracked.context THEN ', context' END, op, tracked.table_id, CASE WHEN tracked.context THEN ', ' || params[2] END, audit.image_sql(tracked, 'n.*'),
    CASE WHEN audit.has_rules(tracked.rules) THEN format('(SELECT %s FROM %s OFFSET 0) n', audit.columns_sql(tracked, 'n', params[1]), source) ELSE source END,
    ' AND ' || only_if)
$$;
