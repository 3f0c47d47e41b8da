-- A statement that reads the rows of some keys again and logs what is there now: U with the row as it is, D where there is none.
-- Capture uses it where the order of events inside one statement can't be known, or a key has changed (see audit.capture_statement_sql):
-- whatever was logged of these keys before, the last word is the table's own, and anything that changes them later is logged later.
-- A row that is gone and was large is logged by its key alone: that is all that a D has to tell.
--   source   a subquery: the touched rows, old and new
--   present  instead of the statement a FROM item with alias r: the rows that are there now (for audit.large_rows_sql)
-- The statement's parameters: $1 the key for hashes, $2 the context. Returns: its text; NULL for a table without a key.
CREATE OR REPLACE FUNCTION audit.reread_sql(tracked audit.tracked_table, source text, present boolean DEFAULT false) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT format(
    CASE WHEN present THEN '(SELECT t.* FROM (SELECT DISTINCT ON (%1$s) r.* FROM (%2$s) r) k JOIN %3$s t ON %4$s) r' ELSE
    'INSERT INTO audit.cdc (cdc_op, table_id, data%6$s) SELECT s.op::"char", %7$s, s.image%8$s FROM ('
    || 'SELECT CASE WHEN t.tableoid IS NULL THEN ''D'' ELSE ''U'' END AS op,'
    || ' CASE WHEN t.tableoid IS NOT NULL THEN %9$s'
    || ' WHEN pg_column_size(%11$s) <= 131072 THEN %12$s(%11$s) ELSE (SELECT %12$s(only_key.*) FROM (SELECT %5$s) only_key) END AS image'
    || ' FROM (SELECT DISTINCT ON (%1$s) r.* FROM (%2$s) r) k LEFT JOIN %3$s t ON %4$s%10$s OFFSET 0) s WHERE s.image IS NOT NULL' END,
    string_agg(format('(r.%I::text COLLATE "C")', k.name), ', '),
    source,
    tracked.relid,
    audit.same_key_sql(tracked, 't', 'k'),
    string_agg(format('k.%I', k.name), ', '),
    CASE WHEN tracked.context THEN ', context' END,
    tracked.table_id,
    CASE WHEN tracked.context THEN ', $2' END,
    audit.image_sql(tracked, CASE WHEN audit.has_rules(tracked.rules) THEN 'here.*' ELSE 't.*' END),
    CASE WHEN audit.has_rules(tracked.rules) THEN format(' CROSS JOIN LATERAL (SELECT %s) here CROSS JOIN LATERAL (SELECT %s) gone',
      audit.columns_sql(tracked, 't', '$1'), audit.columns_sql(tracked, 'k', '$1')) END,
    CASE WHEN audit.has_rules(tracked.rules) THEN 'gone.*' ELSE 'k.*' END,
    CASE tracked.capture WHEN 'row' THEN 'audit.row_json' ELSE 'row_to_json' END)
  FROM audit.key_columns(tracked) k
  HAVING count(*) > 0
$$;
