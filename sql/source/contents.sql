-- What the batch that is open holds, as one JSON object (`Contents` in src/model/batch.ts); one statement, hence one snapshot.
-- few: its changes themselves (few.sql) where they are few and small, else null. The first condition needs no look into compressed values, the second bounds what they
-- become; PostgreSQL makes no JSON of what a CASE leaves out.
-- Nothing here may be PARALLEL UNSAFE, as the set_config of stage.sql is: then one process would count, a million changes in 203 ms instead of 165 (a busy machine).
-- The TRUNCATEs by a second pass where there are any: PostgreSQL makes no JSON in parallel. Of a million changes 150 ms instead of 220.
WITH counted AS (
  SELECT c.table_id, count(*) AS n, max(c.cdc_seq) AS last_seq, coalesce(bool_or(c.context IS NOT NULL), false) AS context,
    count(*) FILTER (WHERE c.cdc_op = 'T') AS truncates
  FROM audit.cdc_old c
  GROUP BY c.table_id
), truncated AS (
  SELECT c.table_id, json_agg(json_build_object('seq', c.cdc_seq::text, 'bound', c.data ->> 'bound', 'partition', c.data ->> 'partition') ORDER BY c.cdc_seq) AS all
  FROM audit.cdc_old c
  WHERE c.cdc_op = 'T' AND (SELECT sum(n.truncates) FROM counted n) > 0
  GROUP BY c.table_id
), changes AS (
  SELECT c.table_id, c.n, c.last_seq, c.context, coalesce(t.all, '[]') AS truncates FROM counted c LEFT JOIN truncated t USING (table_id)
)
SELECT json_build_object(
  'batch', (SELECT b.id FROM audit.batch b WHERE b.state = 'open'),
  'rows', (SELECT coalesce(sum(c.n), 0) FROM changes c),
  'bytes', pg_table_size('audit.cdc_old'),
  'toasted', pg_table_size('audit.cdc_old') - pg_relation_size('audit.cdc_old'),
  'sentinel', EXISTS (SELECT FROM audit.sentinel s JOIN audit.epoch e USING (epoch)),
  'tables', (SELECT coalesce(json_object_agg(t.table_id, json_build_array(coalesce(n.nspname, t.schema_name), coalesce(c.relname, t.table_name), c.oid IS NOT NULL)), '{}')
             FROM audit.tracked_table t LEFT JOIN pg_class c ON c.oid = t.relid LEFT JOIN pg_namespace n ON n.oid = c.relnamespace),
  'changes', (SELECT coalesce(json_object_agg(c.table_id, json_build_object('rows', c.n, 'lastSeq', c.last_seq::text, 'context', c.context,
                'truncates', c.truncates)), '{}') FROM changes c)) AS contents,
  CASE WHEN (SELECT sum(c.n) FROM changes c) <= 10000 AND pg_table_size('audit.cdc_old') <= 8000000 THEN
    CASE WHEN (SELECT sum(octet_length(o.data::text) + coalesce(octet_length(o.context::text), 0)) FROM audit.cdc_old o) <= 4000000 THEN (
{few}) END END AS few
