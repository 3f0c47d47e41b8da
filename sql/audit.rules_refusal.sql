-- Why a table's rules can't be kept, in words that name the remedy; NULL if they can.
-- A masked key would make rows one that are not, and a TRUNCATE of a partition is logged with its bound.
CREATE OR REPLACE FUNCTION audit.rules_refusal(tracked audit.tracked_table) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT why FROM (
    SELECT format('column %I is part of its key, which can''t be excluded or masked: take the rule away, or name another key', k.name)
    FROM audit.key_columns(tracked) k JOIN audit.columns(tracked) c ON c.attnum = k.attnum
    WHERE c.rule IS NOT NULL AND tracked.attnums_of = tracked.relid::oid
    UNION ALL
    SELECT format('column %I is part of its partition key, which can''t be excluded or masked: take the rule away', c.name)
    FROM audit.partitions(tracked.relid) t JOIN pg_partitioned_table p ON p.partrelid = t.relid
    JOIN pg_attribute a ON a.attrelid = t.relid AND a.attnum = ANY (p.partattrs) JOIN audit.columns(tracked) c ON c.name = a.attname
    WHERE c.rule IS NOT NULL
    UNION ALL
    SELECT format('it was restored, and rules of it name column %I, which it has not: only its key is captured until it is tracked with its rules again', r.value ->> 'name')
    FROM jsonb_each(tracked.rules) r
    WHERE tracked.attnums_of <> tracked.relid::oid AND NOT EXISTS (SELECT FROM audit.columns(tracked) c WHERE c.name = r.value ->> 'name')
  ) refusals (why)
  LIMIT 1
$$;
