-- The naive design: a row trigger, to_jsonb, a uuid as the primary key. UNLOGGED, as ours.
CREATE SCHEMA audit;
CREATE UNLOGGED TABLE audit.cdc (
  cdc_uuid uuid PRIMARY KEY DEFAULT gen_random_uuid(), cdc_ts timestamptz NOT NULL DEFAULT clock_timestamp(), cdc_op char(1) NOT NULL,
  table_schema text NOT NULL, table_name text NOT NULL, data jsonb
);
CREATE FUNCTION audit.capture() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    INSERT INTO audit.cdc (cdc_op, table_schema, table_name, data) VALUES ('D', TG_TABLE_SCHEMA, TG_TABLE_NAME, to_jsonb(OLD));
  ELSE
    INSERT INTO audit.cdc (cdc_op, table_schema, table_name, data) VALUES (left(TG_OP, 1), TG_TABLE_SCHEMA, TG_TABLE_NAME, to_jsonb(NEW));
  END IF;
  RETURN NULL;
END
$$;
