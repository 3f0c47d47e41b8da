-- AFTER TRUNCATE trigger: logs a T. On a partition of a tracked table the T names it and its bound, for the other partitions keep their rows.
-- A default partition without siblings has no bound: true.
-- Argument: the (root) table's id in audit.tracked_table.
CREATE OR REPLACE FUNCTION audit.capture_truncate() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  SET lock_timeout = 0
  SET "TimeZone" = 'UTC'
  SET "DateStyle" = 'ISO, YMD'
  SET "IntervalStyle" = 'postgres'
  SET bytea_output = 'hex'
  SET extra_float_digits = 1
  SET lc_monetary = 'C'
AS $$
BEGIN
  INSERT INTO audit.cdc (cdc_op, table_id, data, context)
    SELECT 'T', TG_ARGV[0]::integer,
      CASE WHEN c.relispartition THEN json_build_object('partition', TG_RELID::regclass::text, 'bound', coalesce(pg_get_partition_constraintdef(TG_RELID), 'true')) END,
      CASE WHEN (SELECT t.context FROM audit.tracked_table t WHERE t.table_id = TG_ARGV[0]::integer) THEN audit.change_context() END
    FROM pg_class c WHERE c.oid = TG_RELID;
  RETURN NULL;
END
$$;
