-- What doctor looks at in schema audit, as one row. $1: names of the functions that belong there, $2: names of the relations.
SELECT
  (SELECT array_agg(p.oid::regprocedure::text) FROM pg_proc p
   WHERE p.pronamespace = 'audit'::regnamespace AND p.prosecdef AND p.proname IN ('swap', 'move', 'settle', 'finish', 'begin_epoch', 'lost_span', 'advance', 'refresh', 'pause', 'resume', 'paused_spans', 'forget_pause')
     AND NOT has_function_privilege(p.oid, 'EXECUTE')) AS no_execute,
  (SELECT array_agg(c.oid::regclass::text) FROM pg_class c
   WHERE c.relnamespace = 'audit'::regnamespace AND c.relkind IN ('r', 'v') AND c.relname = ANY ($2::text[]) AND c.relname <> 'hash_key' AND NOT has_table_privilege(c.oid, 'SELECT')) AS no_select,
  (SELECT array_agg(f.what ORDER BY f.what) FROM (
     SELECT 'function ' || p.oid::regprocedure::text AS what FROM pg_proc p WHERE p.pronamespace = 'audit'::regnamespace AND p.proname <> ALL ($1::text[]) AND p.proname !~ '^capture_\d+(_[iud])?$'
     UNION ALL
     SELECT 'relation ' || c.oid::regclass::text FROM pg_class c
     WHERE c.relnamespace = 'audit'::regnamespace AND c.relkind IN ('r', 'v', 'm', 'p', 'f', 'S') AND c.relname <> ALL ($2::text[])
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype IN ('a', 'i'))) f) AS foreign_objects,
  (SELECT count(DISTINCT (c.relpersistence, c.relowner, c.relacl::text)) FROM pg_class c
   WHERE c.relnamespace = 'audit'::regnamespace AND c.relname IN ('cdc', 'cdc_old')) = 1 AS pair_alike,
  (SELECT array_agg(o.on_table::text || '.' || o.trigger_name) FROM audit.orphans() o) AS orphans,
  EXISTS (SELECT FROM audit.sentinel s JOIN audit.epoch e USING (epoch)) AS sentinel,
  (SELECT json_agg(json_build_object('pid', a.pid, 'application', a.application_name, 'seconds', extract(epoch FROM clock_timestamp() - a.xact_start)::int4))
   FROM pg_stat_activity a
   WHERE a.xact_start < clock_timestamp() - interval '30 seconds'
     AND EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.granted AND l.relation IN ('audit.cdc'::regclass, 'audit.cdc_old'::regclass))) AS holders
