-- What triggers can't see of a table: its partitions, its parents, and columns whose old rows got a value without an UPDATE.
-- Kept at track; where it differs later, rows have changed that the log does not show (ATTACH, DETACH or DROP of a partition,
-- ADD COLUMN … DEFAULT, ALTER COLUMN … TYPE), or the key is another one. A new column without a default changes no row.
CREATE OR REPLACE FUNCTION audit.fingerprint(rel regclass) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT jsonb_build_object(
    'partitions', (SELECT jsonb_agg(p.relid::oid::text ORDER BY p.relid::oid) FROM audit.partitions(rel) p WHERE p.isleaf),
    'parents', (SELECT jsonb_agg(h.inhparent::regclass::text ORDER BY h.inhparent) FROM pg_inherits h WHERE h.inhrelid = rel OR h.inhparent = rel AND NOT EXISTS (
      SELECT FROM pg_class c WHERE c.oid = rel AND c.relkind = 'p')),
    'filled', (SELECT jsonb_agg(a.attname ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = rel AND a.atthasmissing AND NOT a.attisdropped),
    'types', (SELECT jsonb_object_agg(a.attnum, format_type(a.atttypid, a.atttypmod)) FROM pg_attribute a WHERE a.attrelid = rel AND a.attnum > 0 AND NOT a.attisdropped),
    'key', (SELECT jsonb_agg(k.name ORDER BY k.position)
            FROM (SELECT coalesce((SELECT t FROM audit.tracked_table t WHERE t.relid = rel),
              jsonb_populate_record(NULL::audit.tracked_table, jsonb_build_object('relid', rel::oid::text, 'rules', '{}'::jsonb))) AS tracked) e
            CROSS JOIN LATERAL audit.key_columns(e.tracked) k))
$$;
