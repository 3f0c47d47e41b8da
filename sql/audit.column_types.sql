-- The columns of a table in attnum order, without dropped ones: a jsonb array of {attnum, name, type}, where type is {schema, name, kind,
-- text} and where they apply {domain, json, element, dimensions}. What is meant by each: src/model/source-type.ts.
-- Domains are followed down to what is below them, with the modifier that they give it; elements of arrays likewise.
-- `json` says that row_to_json writes the type by its own cast to json, as it does for types that are not built in.
-- Types are looked up once each, not once per column. Takes no lock beyond that of reading the catalogue.
CREATE OR REPLACE FUNCTION audit.column_types(rel regclass) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
  WITH RECURSIVE declared AS (
    SELECT DISTINCT a.atttypid AS typ, a.atttypmod AS typmod
    FROM pg_attribute a WHERE a.attrelid = rel AND a.attnum > 0 AND NOT a.attisdropped
  ), step AS (
    SELECT d.typ, d.typmod, 0 AS level, d.typ AS here, d.typmod AS here_typmod FROM declared d
    UNION ALL
    SELECT s.typ, s.typmod, s.level + (t.typtype <> 'd')::int,
      CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.typelem END,
      CASE t.typtype WHEN 'd' THEN t.typtypmod ELSE s.here_typmod END
    FROM step s JOIN pg_type t ON t.oid = s.here
    WHERE t.typtype = 'd' OR t.typelem <> 0 AND t.typsubscript = 'array_subscript_handler'::regproc
  ), found AS (
    SELECT s.typ, s.typmod, s.level, jsonb_build_object(
        'schema', n.nspname, 'name', t.typname, 'kind', t.typtype, 'text', format_type(s.here, s.here_typmod))
      || CASE WHEN s.here >= 16384 AND t.typtype = 'b' AND EXISTS (
          SELECT FROM pg_cast c WHERE c.castsource = s.here AND c.casttarget = 'json'::regtype AND c.castfunc <> 0)
        THEN '{"json": true}'::jsonb ELSE '{}' END AS type
    FROM step s JOIN pg_type t ON t.oid = s.here JOIN pg_namespace n ON n.oid = t.typnamespace
    WHERE t.typtype <> 'd'
  ), resolved AS (
    SELECT f.typ, f.typmod, jsonb_strip_nulls(f.type || jsonb_build_object('element', e.type || jsonb_build_object('element', ee.type))) AS type
    FROM found f
    LEFT JOIN found e ON e.typ = f.typ AND e.typmod = f.typmod AND e.level = 1
    LEFT JOIN found ee ON ee.typ = f.typ AND ee.typmod = f.typmod AND ee.level = 2  -- an array of a domain over an array
    WHERE f.level = 0
  )
  SELECT coalesce(jsonb_agg(jsonb_build_object('attnum', a.attnum, 'name', a.attname, 'type', r.type
      || CASE WHEN r.type ? 'element' THEN jsonb_build_object('dimensions', greatest(a.attndims, t.typndims)) ELSE '{}' END
      || CASE t.typtype WHEN 'd' THEN jsonb_build_object('domain', format_type(a.atttypid, NULL)) ELSE '{}' END)
    ORDER BY a.attnum), '[]')
  FROM pg_attribute a
  JOIN pg_type t ON t.oid = a.atttypid
  JOIN resolved r ON r.typ = a.atttypid AND r.typmod = a.atttypmod
  WHERE a.attrelid = rel AND a.attnum > 0 AND NOT a.attisdropped
$$;
