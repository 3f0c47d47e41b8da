-- The expression that a masked value becomes: always a text, whatever the column's type. A rule that is not known: null.
--   rule   hash | constant | null | keep-last-<n>          value  the expression of the value
--   hash_key  the expression of the key in audit.hash_key
-- hash: hex of sha256(key, text). A text no longer than the n of keep-last-n is hidden altogether. NULL stays NULL, except that constant hides it.
-- format calls the type's own output function, not a cast to text that an owner of the type may have defined.
CREATE OR REPLACE FUNCTION audit.masked_sql(rule text, value text, hash_key text) RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE
    WHEN rule = 'constant' THEN quote_literal('***') || '::text'
    WHEN rule = 'hash' THEN
      format($f$CASE WHEN %s IS DISTINCT FROM NULL THEN encode(sha256(%s || convert_to(%s, getdatabaseencoding())), 'hex') END$f$, value, hash_key, v.text)
    WHEN rule ~ '^keep-last-\d+$' THEN
      format($f$CASE WHEN %1$s IS DISTINCT FROM NULL THEN '***' || right(%2$s, CASE WHEN char_length(%2$s) > %3$s THEN %3$s ELSE 0 END) END$f$,
        value, v.text, substring(rule FROM '\d+$'))
    ELSE 'NULL::text' END
  FROM (SELECT format($f$CASE WHEN pg_column_size(%1$s) <= 131072 THEN format('%%s', %1$s) ELSE audit.large_text(%1$s) END$f$, value) AS text) v
$$;
