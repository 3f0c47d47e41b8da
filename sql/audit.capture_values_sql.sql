-- The statements with which a capture function gets the key for hashes and the context, where its table needs them. The key is read from its table
-- and not part of the function, for everybody may read the text of functions.
CREATE OR REPLACE FUNCTION audit.capture_values_sql(tracked audit.tracked_table) RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT concat(
    CASE WHEN tracked.rules @? '$.* ? (@.rule == "hash")' THEN E'\n  SELECT k.hash_key INTO sluice.hash_key FROM audit.hash_key k;' END,
    CASE WHEN tracked.context THEN E'\n  context := audit.change_context();' END)
$$;
