-- A batch as one statement, hence one snapshot: first the header (cdc_op B, the rest null), then the changes.
-- The header tells which batch is open, how many rows it has and what its tables are called, all as of this snapshot.
SELECT NULL::int8 AS cdc_seq, NULL::int8 AS cdc_xid, NULL::timestamptz AS cdc_ts, 'B'::text AS cdc_op, NULL::int4 AS table_id,
  json_build_object(
    'batch', (SELECT b.id FROM audit.batch b WHERE b.state = 'open'),
    'rows', (SELECT count(*) FROM audit.cdc_old),
    'sentinel', EXISTS (SELECT FROM audit.sentinel s JOIN audit.epoch e USING (epoch)),
    'tables', (SELECT coalesce(json_object_agg(t.table_id, json_build_array(coalesce(n.nspname, t.schema_name), coalesce(c.relname, t.table_name), c.oid IS NOT NULL)), '{}')
               FROM audit.tracked_table t LEFT JOIN pg_class c ON c.oid = t.relid LEFT JOIN pg_namespace n ON n.oid = c.relnamespace)) AS data,
  NULL::json AS context
UNION ALL
SELECT cdc_seq, cdc_xid::text::int8, cdc_ts, cdc_op::text, table_id, data, context FROM audit.cdc_old
