-- AFTER STATEMENT trigger of a plain table: logs the rows of one statement out of its transition tables, as a set.
-- Argument: the table's id in audit.tracked_table. Runs as the installer, so that the application's role needs no right on audit.
--
-- Order. A statement may contain others on the same table: an application trigger, a function in SET or VALUES, a writable CTE,
-- a cascade. Nested statements are logged when they end, before the one around them, though they may have changed its rows later.
-- So each statement pushes its letter (i, u, d) onto the setting sluice.t<id> in a WHEN clause (no function call: a BEFORE
-- STATEMENT function was measured to cost 10 points of tps) and takes it off here. Whoever logs while other letters stand makes them capitals.
-- A capital says: others have logged this table since this statement began. Then its keys are read again instead of logged.
-- A rolled-back savepoint restores the setting by itself. A letter that is missing counts as a capital.
-- An UPDATE that changes a key turns its letter into a capital too, so that old keys are looked up and logged as gone.
-- The letter is looked for from the end: statements of one kind on one table nest, but never overlap otherwise.
--
-- What is read again comes by dynamic SQL out of the application's table, which may fail (the right to read was revoked, row level
-- security was switched on). That must not fail the application's statement: then it is logged as it came, old rows before new ones,
-- and audit.fault notes it for audit.status. Failures of the transaction itself (class 40) and cancellation go through.
--
-- The settings are pinned because a value's text must not depend on the session.
CREATE OR REPLACE FUNCTION audit.capture_statement() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  SET lock_timeout = 0
  SET "TimeZone" = 'UTC'
  SET "DateStyle" = 'ISO, YMD'
  SET "IntervalStyle" = 'postgres'
  SET bytea_output = 'hex'
  SET extra_float_digits = 1
  SET lc_monetary = 'C'
  SET row_security = off
AS $$
DECLARE
  tid integer := TG_ARGV[0];
  setting text := 'sluice.t' || TG_ARGV[0];
  stack text := coalesce(current_setting('sluice.t' || TG_ARGV[0], true), '');
  letter text := CASE TG_OP WHEN 'INSERT' THEN 'i' WHEN 'UPDATE' THEN 'u' ELSE 'd' END;
  own integer := 0;
  dirty boolean := false;
  entry audit.tracked_table;
  touched text;
  again text;
  logged bigint;
BEGIN
  IF stack = letter THEN  -- alone and undisturbed: almost every statement there is
    PERFORM set_config(setting, '', true);
  ELSE
    own := length(stack) - strpos(reverse(lower(stack)), letter) + 1;  -- length + 1 if it is missing
    dirty := substr(stack, own, 1) IS DISTINCT FROM letter;
  END IF;

  IF dirty THEN
    touched := CASE TG_OP
      WHEN 'INSERT' THEN 'SELECT n.* FROM new_rows n'
      WHEN 'DELETE' THEN 'SELECT o.* FROM old_rows o'
      ELSE 'SELECT o.* FROM old_rows o UNION ALL SELECT n.* FROM new_rows n' END;
    BEGIN
      SELECT * INTO entry FROM audit.tracked_table tracked WHERE tracked.table_id = tid;
      again := audit.reread_sql(entry, touched);
      IF again IS NOT NULL THEN
        EXECUTE again USING tid;
        GET DIAGNOSTICS logged = ROW_COUNT;
      END IF;
    EXCEPTION
      WHEN transaction_rollback THEN
        RAISE;
      WHEN OTHERS THEN
        again := NULL;
        PERFORM audit.note_fault(tid, SQLSTATE);
        IF TG_OP = 'UPDATE' THEN
          INSERT INTO audit.cdc (cdc_op, table_id, data)
            SELECT 'D', tid, s.image
            FROM (SELECT CASE WHEN pg_column_size(o.*) <= 131072 THEN row_to_json(o.*) ELSE audit.row_json(o.*) END AS image FROM old_rows o OFFSET 0) s
            WHERE s.image IS NOT NULL;
        END IF;
    END;
  END IF;

  IF again IS NOT NULL THEN
    NULL;
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO audit.cdc (cdc_op, table_id, data)
      SELECT 'D', tid, s.image
      FROM (SELECT CASE WHEN pg_column_size(o.*) <= 131072 THEN row_to_json(o.*) ELSE audit.row_json(o.*) END AS image FROM old_rows o OFFSET 0) s
      WHERE s.image IS NOT NULL;
    GET DIAGNOSTICS logged = ROW_COUNT;
  ELSE
    INSERT INTO audit.cdc (cdc_op, table_id, data)
      SELECT upper(letter)::"char", tid, s.image
      FROM (SELECT CASE WHEN pg_column_size(n.*) <= 131072 THEN row_to_json(n.*) ELSE audit.row_json(n.*) END AS image FROM new_rows n OFFSET 0) s
      WHERE s.image IS NOT NULL;
    GET DIAGNOSTICS logged = ROW_COUNT;
  END IF;

  IF current_setting('sluice.too_large', true) = 'yes' THEN
    PERFORM set_config('sluice.too_large', '', true);
    IF again IS NOT NULL THEN
      EXECUTE audit.large_rows_sql(TG_RELID, audit.reread_sql(entry, touched, true)) USING 'U', tid;
    ELSE
      EXECUTE audit.large_rows_sql(TG_RELID, CASE TG_OP WHEN 'DELETE' THEN 'old_rows r' ELSE 'new_rows r' END) USING upper(letter), tid;
    END IF;
    logged := 1;
  END IF;

  IF own > 0 THEN
    stack := overlay(stack PLACING '' FROM own FOR 1);
    PERFORM set_config(setting, CASE WHEN logged > 0 THEN upper(stack) ELSE stack END, true);
  END IF;
  RETURN NULL;
END
$$;
