-- AFTER STATEMENT trigger of a partitioned table and its partitions: takes the statement's letter off the setting that its WHEN clause
-- put there, and tells the statements around it, by making their letters capitals, that others have logged this table meanwhile.
-- Argument: the root's id in audit.tracked_table.
CREATE OR REPLACE FUNCTION audit.capture_end() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  setting text := 'sluice.t' || TG_ARGV[0];
  stack text := coalesce(current_setting('sluice.t' || TG_ARGV[0], true), '');
  own integer;
BEGIN
  own := length(stack) - strpos(reverse(lower(stack)), lower(left(TG_OP, 1))) + 1;
  PERFORM set_config(setting, upper(overlay(stack PLACING '' FROM own FOR 1)), true);
  RETURN NULL;
END
$$;
