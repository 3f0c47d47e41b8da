-- The body of audit.capture_<id> while the table is paused: it logs nothing. What the statement has pushed onto the setting sluice.t<id> has to come off,
-- or it would grow with each statement of the transaction; statements around it read their keys again, should capture begin in between.
CREATE OR REPLACE FUNCTION audit.capture_paused_sql(tracked audit.tracked_table) RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE tracked.capture WHEN 'row' THEN 'BEGIN RETURN NULL; END' ELSE format($body$
DECLARE
  stack text := coalesce(current_setting('sluice.t%1$s', true), '');
  own integer := length(stack) - strpos(reverse(lower(stack)), lower(left(TG_OP, 1))) + 1;
BEGIN
  PERFORM set_config('sluice.t%1$s', upper(overlay(stack PLACING '' FROM own FOR 1)), true);
  RETURN NULL;
END
$body$, tracked.table_id) END
$$;
