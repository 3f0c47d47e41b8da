-- A statement that reads the rows of some keys again and logs what is there now: U with the row as it is, D where there is none.
-- Capture uses it where the order of events inside one statement can't be known (see audit.capture_statement): whatever was
-- logged of these keys before, the last word is the table's own, and anything that changes them later is logged later.
-- A key's identity is its text: under a case-insensitive collation 'A' and 'a' are equal and yet two keys of the lake.
-- A row that is gone and was large is logged by its key alone: that is all that a D has to tell.
--   tracked  the registry's row        source  a subquery: the touched rows, old and new
--   present  instead of the statement a FROM item with alias r: the rows that are there now (for audit.large_rows_sql)
-- The statement's parameter: $1 table_id. Returns: its text; NULL for a table without a key.
CREATE OR REPLACE FUNCTION audit.reread_sql(tracked audit.tracked_table, source text, present boolean DEFAULT false) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT format(
    CASE WHEN present THEN '(SELECT t.* FROM (SELECT DISTINCT ON (%1$s) r.* FROM (%2$s) r) k JOIN %3$s t ON %4$s) r' ELSE
    'INSERT INTO audit.cdc (cdc_op, table_id, data) SELECT s.op::"char", $1, s.image FROM ('
    || 'SELECT CASE WHEN t.tableoid IS NULL THEN ''D'' ELSE ''U'' END AS op,'
    || ' CASE WHEN t.tableoid IS NOT NULL THEN CASE WHEN pg_column_size(t.*) <= 131072 THEN row_to_json(t.*) ELSE audit.row_json(t.*) END'
    || ' WHEN pg_column_size(k.*) <= 131072 THEN row_to_json(k.*) ELSE (SELECT row_to_json(only_key.*) FROM (SELECT %5$s) only_key) END AS image'
    || ' FROM (SELECT DISTINCT ON (%1$s) r.* FROM (%2$s) r) k LEFT JOIN %3$s t ON %4$s OFFSET 0) s WHERE s.image IS NOT NULL' END,
    string_agg(format('(r.%I::text COLLATE "C")', a.attname), ', '),
    source,
    tracked.relid,
    string_agg(format('t.%1$I OPERATOR(%2$I.%3$s) k.%1$I AND t.%1$I::text = k.%1$I::text COLLATE "C"', a.attname, op_schema.nspname, op.oprname), ' AND '),
    string_agg(format('k.%I', a.attname), ', '))
  FROM pg_index i
  CROSS JOIN LATERAL unnest(i.indkey[0:i.indnkeyatts - 1], i.indclass[0:i.indnkeyatts - 1]) WITH ORDINALITY AS k (attnum, opclass, position)
  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
  JOIN pg_opclass c ON c.oid = k.opclass
  JOIN pg_amop m ON m.amopfamily = c.opcfamily AND m.amoplefttype = c.opcintype AND m.amoprighttype = c.opcintype AND m.amopstrategy = 3
  JOIN pg_operator op ON op.oid = m.amopopr
  JOIN pg_namespace op_schema ON op_schema.oid = op.oprnamespace
  WHERE i.indexrelid = audit.key_of(tracked.relid)
  HAVING count(*) > 0
$$;
