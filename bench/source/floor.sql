-- The floor of any buffer that PL/pgSQL fills: a trigger for each statement that inserts a constant row, without a key, an index or an image.
CREATE SCHEMA audit;
CREATE SEQUENCE audit.cdc_seq;
CREATE UNLOGGED TABLE audit.cdc (
  cdc_seq bigint NOT NULL DEFAULT nextval('audit.cdc_seq'), cdc_xid xid8 NOT NULL DEFAULT pg_current_xact_id(), cdc_ts timestamptz NOT NULL DEFAULT clock_timestamp(),
  cdc_op "char" NOT NULL, table_id integer NOT NULL, data json
);
CREATE FUNCTION audit.capture() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  INSERT INTO audit.cdc (cdc_op, table_id, data) VALUES ('I', 1, '{"a":1}');
  RETURN NULL;
END
$$;
