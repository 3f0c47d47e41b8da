-- The body of audit.capture_<id> for a plain table: an AFTER STATEMENT trigger function that logs the rows of one statement out of its
-- transition tables, as a set. It runs as the owner of schema audit, so that the application's role needs no right there.
--
-- Order. A statement may contain others on the same table: an application trigger, a function in SET or VALUES, a writable CTE,
-- a cascade. Nested statements are logged when they end, before the one around them, though they may have changed its rows later.
-- So each statement pushes its letter (i, u, d) onto the setting sluice.t<id> in a WHEN clause (no function call: a BEFORE
-- STATEMENT function was measured to cost 10 points of tps) and takes it off here. Whoever logs while other letters stand makes them capitals.
-- A capital says: others have logged this table since this statement began. Then its keys are read again instead of logged.
-- A rolled-back savepoint restores the setting by itself. A letter that is missing counts as a capital.
-- The letter is looked for from the end: statements of one kind on one table nest, but never overlap otherwise.
--
-- A changed key. An UPDATE is logged only if the sum of its keys' hashes is the same before and after; else its keys are read again,
-- so that old keys are looked up and logged as gone. The two sums are computed once, before any row (they depend on none). No static statement joins
-- the transition tables: its plan is made for the first statement of a session, which may have one row, and kept for one of 300,000.
--
-- Schema changes. A static statement that names a column fails once the column is renamed, so none is reached unless audit.layout says
-- that all is as it was. A table without rules names columns in UPDATE alone. Otherwise keys are read again by dynamic SQL, which names
-- what is there now.
--
-- What is read again comes by dynamic SQL out of the application's table, which may fail (the right to read was revoked, row level
-- security was switched on). That must not fail the application's statement: then it is logged as it came, old rows before new ones,
-- and audit.fault notes it for audit.status. Failures of the transaction itself (class 40) and cancellation go through.
--
-- The table's rules are part of the text: what is masked must not depend on whether a transaction of the past sees the registry.
-- Variables are named through the block's label where a statement might take them for a column of the table.
CREATE OR REPLACE FUNCTION audit.capture_statement_sql(tracked audit.tracked_table) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT format($body$
<<sluice>>
DECLARE
  stack text := coalesce(current_setting('sluice.t%1$s', true), '');
  letter text := CASE TG_OP WHEN 'INSERT' THEN 'i' WHEN 'UPDATE' THEN 'u' ELSE 'd' END;
  own integer := 0;
  dirty boolean := false;
  logged bigint;
  hash_key bytea;
  context json;
BEGIN
  IF stack = letter THEN  -- alone and undisturbed: almost every statement there is
    stack := set_config('sluice.t%1$s', '', true);
  ELSE
    own := length(stack) - strpos(reverse(lower(stack)), letter) + 1;  -- length + 1 if it is missing
    dirty := substr(stack, own, 1) IS DISTINCT FROM letter;
  END IF;%2$s
  IF %3$s THEN
    dirty := dirty OR (%4$s) IS NOT TRUE;
  END IF;

  IF NOT dirty THEN
    IF TG_OP = 'INSERT' THEN
      %5$s;
    ELSIF TG_OP = 'UPDATE' THEN
      %6$s;
    ELSE
      %7$s;
    END IF;
    GET DIAGNOSTICS logged = ROW_COUNT;
    IF TG_OP = 'UPDATE' AND logged = 0 AND current_setting('sluice.too_large', true) IS DISTINCT FROM 'yes' THEN
      dirty := EXISTS (SELECT FROM new_rows);  -- a key has changed
    END IF;
  END IF;

  IF dirty OR current_setting('sluice.too_large', true) = 'yes' THEN
    DECLARE
      entry audit.tracked_table := jsonb_populate_record(NULL::audit.tracked_table, %8$L);
      touched text := CASE TG_OP
        WHEN 'INSERT' THEN 'SELECT n.* FROM new_rows n'
        WHEN 'DELETE' THEN 'SELECT o.* FROM old_rows o'
        ELSE 'SELECT o.* FROM old_rows o UNION ALL SELECT n.* FROM new_rows n' END;
      again text;
      faulty boolean := false;
    BEGIN
      entry.relid := TG_RELID;
      IF dirty THEN
        BEGIN
          again := audit.reread_sql(entry, touched);
          IF again IS NOT NULL THEN
            EXECUTE again USING hash_key, context;
            GET DIAGNOSTICS logged = ROW_COUNT;
          END IF;
        EXCEPTION
          WHEN transaction_rollback THEN
            RAISE;
          WHEN OTHERS THEN
            again := NULL;
            faulty := true;
            PERFORM audit.note_fault(%1$s, SQLSTATE);
        END;
        IF again IS NULL AND (TG_OP = 'DELETE' OR TG_OP = 'UPDATE' AND faulty) THEN
          EXECUTE audit.log_sql(entry, 'D', 'old_rows n', '{$1,$2}') USING hash_key, context;
          GET DIAGNOSTICS logged = ROW_COUNT;
        END IF;
        IF again IS NULL AND TG_OP <> 'DELETE' THEN
          EXECUTE audit.log_sql(entry, upper(letter), 'new_rows n', '{$1,$2}') USING hash_key, context;
          GET DIAGNOSTICS logged = ROW_COUNT;
        END IF;
      END IF;
      IF current_setting('sluice.too_large', true) = 'yes' THEN
        PERFORM set_config('sluice.too_large', '', true);
        IF again IS NOT NULL THEN
          EXECUTE audit.large_rows_sql(entry, 'U', audit.reread_sql(entry, touched, true)) USING hash_key, context;
        ELSE
          EXECUTE audit.large_rows_sql(entry, upper(letter), CASE TG_OP WHEN 'DELETE' THEN 'old_rows r' ELSE 'new_rows r' END) USING hash_key, context;
        END IF;
        logged := 1;
      END IF;
    END;
  END IF;

  IF own > 0 THEN
    stack := overlay(stack PLACING '' FROM own FOR 1);
    PERFORM set_config('sluice.t%1$s', CASE WHEN logged > 0 THEN upper(stack) ELSE stack END, true);
  END IF;
  RETURN NULL;
END
$body$,
    tracked.table_id,
    audit.capture_values_sql(tracked),
    CASE WHEN audit.has_rules(tracked.rules) THEN 'true' ELSE $c$TG_OP = 'UPDATE'$c$ END,
    audit.layout_is_sql(tracked),
    audit.log_sql(tracked, 'I', 'new_rows n', '{sluice.hash_key,sluice.context}'),
    audit.log_sql(tracked, 'U', 'new_rows n', '{sluice.hash_key,sluice.context}',
      '(SELECT sum(' || audit.key_hash_sql(tracked, 'o') || ') FROM old_rows o) = (SELECT sum(' || audit.key_hash_sql(tracked, 'n') || ') FROM new_rows n)'),
    audit.log_sql(tracked, 'D', 'old_rows n', '{sluice.hash_key,sluice.context}'),
    audit.capture_entry(tracked))
$$;
