-- Why a table can't be tracked, in words that name the remedy; NULL if it can.
CREATE OR REPLACE FUNCTION audit.refusal(rel regclass) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE
    WHEN n.nspname IN ('audit', 'pg_catalog', 'information_schema') OR n.nspname LIKE 'pg\_toast%' THEN 'it belongs to ' || CASE n.nspname WHEN 'audit' THEN 'pg-sluice' ELSE 'PostgreSQL' END
    WHEN c.relpersistence = 't' THEN 'it is temporary: only its own session can see it'
    WHEN c.relkind NOT IN ('r', 'p') THEN 'only tables and partitioned tables can be tracked'
    WHEN c.relispartition THEN 'it is a partition: track its root ' || pg_partition_root(c.oid)
    WHEN EXISTS (SELECT FROM pg_inherits h JOIN pg_class p ON p.oid = h.inhparent WHERE h.inhrelid = c.oid AND p.relkind = 'r')
      OR c.relkind = 'r' AND EXISTS (SELECT FROM pg_inherits h WHERE h.inhparent = c.oid)
      THEN 'it takes part in INHERITS: a change through the parent does not fire the child''s triggers; use declarative partitions'
    WHEN EXISTS (SELECT FROM pg_inherits h JOIN pg_class p ON p.oid = h.inhrelid WHERE h.inhparent = c.oid AND p.relkind = 'f')
      THEN 'it has a foreign table as a partition, which takes no row triggers'
    WHEN NOT has_table_privilege(audit_owner.oid, c.oid, 'SELECT')
      THEN format('role %I, which owns schema audit, may not read it: GRANT SELECT ON %s TO %1$I', audit_owner.rolname, rel)
    WHEN c.relrowsecurity AND NOT audit_owner.rolsuper AND NOT audit_owner.rolbypassrls AND (c.relforcerowsecurity OR NOT pg_has_role(audit_owner.oid, c.relowner, 'USAGE'))
      THEN format('its row level security hides rows from role %I, which owns schema audit: install with a role that has BYPASSRLS or owns the table', audit_owner.rolname)
  END
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  CROSS JOIN (SELECT r.oid, r.rolname, r.rolsuper, r.rolbypassrls FROM pg_namespace s JOIN pg_roles r ON r.oid = s.nspowner WHERE s.nspname = 'audit') audit_owner
  WHERE c.oid = rel
$$;
