-- A table's rules in the form of audit.tracked_table out of what a user writes, by column number.
--   options  {"key": ["a"], "exclude": ["b"], "mask": {"c": "hash", "d": "constant", "e": null, "f": "keep-last-4"}}
-- Raises undefined_column, or invalid_parameter_value in words that name the remedy.
CREATE OR REPLACE FUNCTION audit.column_rules(rel regclass, options jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  rules jsonb := '{}';
  given record;
  attribute pg_attribute;
BEGIN
  FOR given IN
    SELECT k.name, '{"key": true}'::jsonb AS rule FROM jsonb_array_elements_text(options -> 'key') AS k (name)
    UNION ALL
    SELECT e.name, '{"rule": "exclude"}' FROM jsonb_array_elements_text(options -> 'exclude') AS e (name)
    UNION ALL
    SELECT m.key, jsonb_build_object('rule', coalesce(m.value, 'null')) FROM jsonb_each_text(options -> 'mask') m
  LOOP
    SELECT * INTO attribute FROM pg_attribute a WHERE a.attrelid = rel AND a.attname = given.name AND a.attnum > 0 AND NOT a.attisdropped;
    IF NOT FOUND THEN
      RAISE EXCEPTION '% has no column %', rel, quote_ident(given.name) USING ERRCODE = 'undefined_column';
    ELSIF given.rule ? 'key' AND NOT attribute.attnotnull THEN
      RAISE EXCEPTION 'key column % of % may be null: set it NOT NULL', quote_ident(given.name), rel USING ERRCODE = 'invalid_parameter_value';
    ELSIF given.rule ->> 'rule' NOT IN ('exclude', 'hash', 'constant', 'null') AND given.rule ->> 'rule' !~ '^keep-last-[1-9]\d?$' THEN
      RAISE EXCEPTION 'mask of %.%: % is none of hash, constant, null, keep-last-<1 to 99>', rel, quote_ident(given.name), quote_literal(given.rule ->> 'rule') USING ERRCODE = 'invalid_parameter_value';
    ELSIF rules ? attribute.attnum::text AND given.rule ? 'rule' AND (rules -> attribute.attnum::text) ? 'rule' THEN
      RAISE EXCEPTION 'column % of % is both excluded and masked', quote_ident(given.name), rel USING ERRCODE = 'invalid_parameter_value';
    END IF;
    rules := rules || jsonb_build_object(attribute.attnum, coalesce(rules -> attribute.attnum::text, '{}') || jsonb_build_object('name', given.name) || given.rule);
  END LOOP;
  RETURN rules;
END
$$;
