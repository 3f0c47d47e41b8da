-- Begin a batch: the caller holds what makes the buffer's change of hands atomic and calls this last in the same transaction.
-- Also notes the names that tracked tables have now, for a table that is dropped before the batch is read.
CREATE OR REPLACE FUNCTION audit.open_batch(batch_kind text, cut timestamptz) RETURNS audit.batch
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  opened audit.batch;
BEGIN
  UPDATE audit.tracked_table t SET schema_name = n.nspname, table_name = c.relname
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = t.relid AND (t.schema_name, t.table_name) IS DISTINCT FROM (n.nspname::text, c.relname::text);
  INSERT INTO audit.batch (kind, cut_at) VALUES (batch_kind, cut) RETURNING * INTO opened;
  RETURN opened;
END
$$;
