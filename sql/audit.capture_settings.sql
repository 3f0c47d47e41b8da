-- The SET clauses of a table's capture functions: what a value's text must not depend on. Each costs a call 1 to 2 % of what capture costs in all (measured
-- in instructions), all of them a fifth, so functions that are called for each row have those that the table's types need; audit.types_of watches over these.
-- Those called for a statement, and those of a table with rules, whose masks may turn anything into text, have all.
-- The path goes with names: those of regclass and its like, and in a mask; what else there is names its schemas.
-- JSON has dates and times in ISO 8601 whatever DateStyle says, but for those inside a range. What is not known here depends on all of them.
CREATE OR REPLACE FUNCTION audit.capture_settings(tracked audit.tracked_table) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
  WITH RECURSIVE setting (name, value) AS (
    VALUES ('search_path', 'pg_catalog, pg_temp'), ('TimeZone', 'UTC'), ('DateStyle', 'ISO, YMD'), ('IntervalStyle', 'postgres'), ('bytea_output', 'hex'), ('extra_float_digits', '1'), ('lc_monetary', 'C')
  ), type (oid) AS (
    SELECT a.atttypid FROM pg_attribute a WHERE a.attrelid = tracked.relid AND a.attnum > 0 AND NOT a.attisdropped
    UNION
    SELECT CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.typelem END FROM type JOIN pg_type t ON t.oid = type.oid
    WHERE t.typtype = 'd' OR t.typcategory = 'A'
  ), needed (name) AS (
    SELECT s.name FROM setting s
    WHERE tracked.capture = 'statement' OR audit.has_rules(tracked.rules) OR EXISTS (
      SELECT FROM type JOIN pg_type t ON t.oid = type.oid
      WHERE t.typtype NOT IN ('d', 'e') AND t.typcategory <> 'A' AND t.oid NOT IN ('bool'::regtype, 'int2'::regtype, 'int4'::regtype, 'int8'::regtype,
        'numeric'::regtype, 'text'::regtype, 'varchar'::regtype, 'bpchar'::regtype, '"char"'::regtype, 'name'::regtype, 'uuid'::regtype, 'json'::regtype,
        'jsonb'::regtype, 'date'::regtype, 'timestamp'::regtype, 'time'::regtype, 'timetz'::regtype, 'inet'::regtype, 'cidr'::regtype, 'macaddr'::regtype)
        AND s.name = CASE t.oid WHEN 'timestamptz'::regtype THEN 'TimeZone' WHEN 'interval'::regtype THEN 'IntervalStyle' WHEN 'bytea'::regtype THEN 'bytea_output'
          WHEN 'float4'::regtype THEN 'extra_float_digits' WHEN 'float8'::regtype THEN 'extra_float_digits' WHEN 'money'::regtype THEN 'lc_monetary' ELSE s.name END)
  )
  -- A short lock_timeout of the application must not meet a swap.
  SELECT concat_ws(' ', 'SET lock_timeout = 0', CASE WHEN tracked.capture = 'statement' THEN 'SET row_security = off' END,
    string_agg(format(CASE s.name WHEN 'search_path' THEN 'SET search_path = pg_catalog, pg_temp' ELSE 'SET %I = %L' END, s.name, s.value), ' ' ORDER BY s.name))
  FROM setting s JOIN needed USING (name)
$$;
