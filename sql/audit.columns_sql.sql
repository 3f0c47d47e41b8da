-- The select list of what may be logged of a row: its columns with the rules applied; all of it for a table without rules.
--   source  the alias of the row (in a row trigger NEW or OLD)     hash_key  the expression of the key for hashes
CREATE OR REPLACE FUNCTION audit.columns_sql(tracked audit.tracked_table, source text, hash_key text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN NOT audit.has_rules(tracked.rules) THEN source || '.*' ELSE (
    SELECT coalesce(string_agg(format('%s AS %I',
      CASE WHEN c.rule IS NULL THEN v.value ELSE audit.masked_sql(c.rule, v.value, hash_key) END, c.name), ', ' ORDER BY c.attnum), '')
    FROM audit.columns(tracked) c CROSS JOIN LATERAL (SELECT format('%s.%I', source, c.name) AS value) v
    WHERE c.rule IS DISTINCT FROM 'exclude') END
$$;
