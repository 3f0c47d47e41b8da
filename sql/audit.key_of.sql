-- The index that gives a table's key: its primary key, else a unique index that is valid, not partial, not on expressions, not deferrable
-- and without a nullable column (the one with the fewest columns, then the oldest). NULL if there is none: then the table is logged only.
-- A deferrable key is no key: two transactions may hold it at once, and the log can't tell whose row stays.
CREATE OR REPLACE FUNCTION audit.key_of(rel regclass) RETURNS regclass
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT i.indexrelid::regclass
  FROM pg_index i
  WHERE i.indrelid = rel AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
    AND NOT EXISTS (
      SELECT FROM unnest(i.indkey[0:i.indnkeyatts - 1]) AS k (attnum)
      JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
      WHERE NOT a.attnotnull)
  ORDER BY i.indisprimary DESC, i.indnkeyatts, i.indexrelid
  LIMIT 1
$$;
