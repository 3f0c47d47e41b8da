-- Why a table's rules can't be kept, in words that name the remedy; NULL if they can. A masked key would make rows one that are not, and TRUNCATE of a
-- partition is told by its bound on the key.
CREATE OR REPLACE FUNCTION audit.rules_refusal(tracked audit.tracked_table) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT format('column %I is part of its key, which can''t be excluded or masked: take the rule away, or track it by another key ("key")', min(k.name))
  FROM audit.key_columns(tracked) k JOIN audit.columns(tracked) c ON c.attnum = k.attnum
  WHERE c.rule IS NOT NULL
  HAVING count(*) > 0
$$;
