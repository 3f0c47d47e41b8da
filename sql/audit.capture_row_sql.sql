-- The body of a capture function that is called for each row of one kind of change: AFTER ROW triggers, which PostgreSQL clones onto every partition, also
-- later ones, so that changes made to a partition directly are seen too.
--   op  I, U or D
--
-- Order. All row triggers of a statement fire when it ends, in the order in which it changed its rows; but a statement inside it (an application trigger, a
-- function in SET or VALUES, a cascade) has ended before, and is logged, though it may have changed the same rows later. So a change is logged only while
-- it is the truth. The trigger gets the row version as it is stored now: xmax 0 says that nobody has touched it since, so it is what its key has, whatever was
-- logged before. Another xmax is one that was changed again, which logs itself, or only locked (SELECT FOR UPDATE, foreign keys): then the table tells whether
-- the version is still there. A deletion, of a row or of an old key, is logged if the table has no row of that key. No state is kept, so a rolled-back
-- savepoint leaves none behind.
--
-- Schema changes. A static statement that names the table, its key or a column of it fails once that is renamed, so none is reached unless audit.layout says
-- that all is as it was; the check stands alone, for PL/pgSQL looks up the columns of a condition when it plans it. Otherwise keys are read again by dynamic
-- SQL, which names what is there now. That may fail (the right to read was revoked, row level security was switched on): then the change is logged as it
-- came, the old row before the new one, and audit.fault notes it for audit.status. Failures of the transaction itself (class 40) and cancellation go through.
--
-- Names. To pin search_path costs as much as an eighth to a fifth of all that capture costs (measured in instructions, PostgreSQL 18 and 15), with each row. So
-- what runs for almost every change names the schema of all that it uses; only the rest pins it, and row_security, so that hidden rows are an error.
--
-- What returns is a variable that is null: NULL itself is an expression to PL/pgSQL, 900 instructions a call.
--
-- Variables are named through the block's label where a statement might take them for a column of the table.
CREATE OR REPLACE FUNCTION audit.capture_row_sql(tracked audit.tracked_table, op text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  keyed boolean := audit.same_key_sql(tracked, 't', 'OLD') IS NOT NULL;
  ruled boolean := audit.has_rules(tracked.rules);
  rec text := CASE op WHEN 'D' THEN 'OLD' ELSE 'NEW' END;
  small text := 'pg_catalog.pg_column_size(%s) OPERATOR(pg_catalog.<=) 131072';
  layout text := CASE WHEN keyed OR ruled THEN audit.layout_is_sql(tracked) ELSE 'true' END;
  into_buffer text := format('INSERT INTO audit.cdc (cdc_op, table_id, data%s)', CASE WHEN tracked.context THEN ', context' END);
  with_context text := CASE WHEN tracked.context THEN ', sluice.context' ELSE '' END;
  newest text := 'NEW.xmax OPERATOR(pg_catalog.=) ''0''::pg_catalog.xid';
  gone text := format('NOT EXISTS (SELECT FROM %s t WHERE %s)', tracked.relid, audit.same_key_sql(tracked, 't', 'OLD'));
  there text := format('%s OR EXISTS (SELECT FROM %s t WHERE %s AND t.ctid OPERATOR(pg_catalog.=) NEW.ctid AND t.tableoid OPERATOR(pg_catalog.=) TG_RELID)',
    newest, tracked.relid, audit.same_key_sql(tracked, 't', 'NEW'));
  -- Without rules and for a row that nobody has touched since, or that is deleted: almost every change there is. The guards stand outside, and only
  -- row_to_json inside: a volatile function, be it in a branch that falls away, makes a subquery of the SELECT: 7 thousand instructions a row.
  at_once text := into_buffer || format(CASE WHEN op = 'D' AND keyed THEN ' SELECT %s WHERE ' || replace(gone, '%', '%%') ELSE ' VALUES (%s)' END,
    format('%L::pg_catalog."char", %s, pg_catalog.row_to_json(%s)%s', op, tracked.table_id, rec, with_context));
  untouched text := concat_ws(' AND ', CASE WHEN keyed AND op <> 'D' THEN newest END,
    CASE WHEN keyed AND op = 'U' THEN audit.key_kept_sql(tracked) END, format(small, rec));
  -- Where the condition holds; an image that is null is too large, which audit.row_json tells by a setting. OFFSET 0 keeps it from being made twice.
  logged text := format('%s SELECT %%L::pg_catalog."char", %s, s.image%s FROM (SELECT %%s AS image WHERE %%s OFFSET 0) s WHERE s.image IS NOT NULL',
    into_buffer, tracked.table_id, with_context);
  flagged text := 'coalesce(pg_catalog.current_setting(''sluice.too_large'', true) OPERATOR(pg_catalog.=) ''yes'', false)';
  params text := concat_ws(', ', CASE WHEN ruled THEN 'hash_key' ELSE 'NULL::pg_catalog.bytea' END, CASE WHEN tracked.context THEN 'context' ELSE 'NULL::pg_catalog.json' END);
  values_of text := audit.capture_values_sql(tracked);
BEGIN
  RETURN concat(
    E'\n<<sluice>>\nDECLARE\n  nothing pg_catalog.bool;',
    CASE WHEN ruled THEN E'\n  hash_key pg_catalog.bytea;' END, CASE WHEN tracked.context THEN E'\n  context pg_catalog.json;' END, E'\nBEGIN',
    CASE WHEN ruled THEN ''
      -- Where types are others than they were, as after a restore, it is still an INSERT.
      WHEN op = 'I' OR NOT keyed THEN format(E'\n  IF %1$s AND %2$s THEN%3$s\n    %4$s;\n    RETURN nothing;\n  END IF;\n  IF %2$s THEN%3$s\n    %5$s;\n    RETURN nothing;\n  END IF;',
        audit.types_are_sql(tracked), untouched, values_of, at_once, replace(at_once, 'pg_catalog.row_to_json', 'audit.row_json'))
      ELSE format(E'\n  IF %s THEN\n    IF %s THEN%s\n      %s;\n      RETURN nothing;\n    END IF;\n  END IF;', layout || ' AND ' || audit.types_are_sql(tracked), untouched, values_of, at_once) END,
    E'\n  DECLARE\n    old_too_large pg_catalog.bool := false;\n    too_large pg_catalog.bool := false;\n',
    format(E'  BEGIN\n    IF %s THEN%s', layout, replace(values_of, E'\n  ', E'\n    ')),
    CASE WHEN op = 'U' AND keyed THEN format(E'\n      IF NOT (%s) THEN\n        %s;\n        old_too_large := NOT FOUND AND %s;\n      END IF;',
      audit.key_kept_sql(tracked), format(logged, 'D', audit.row_image_sql(tracked, 'OLD'), gone), flagged) END,
    format(E'\n      %s;\n      too_large := NOT FOUND AND %s;\n      IF NOT old_too_large AND NOT too_large THEN\n        RETURN nothing;\n      END IF;\n    END IF;',
      format(logged, op, audit.row_image_sql(tracked, rec), CASE WHEN NOT keyed THEN 'true' WHEN op = 'D' THEN gone ELSE there END), flagged),
    format($body$
    DECLARE
      path pg_catalog.text := pg_catalog.current_setting('search_path');
      security pg_catalog.text := pg_catalog.current_setting('row_security');
      entry audit.tracked_table;
      again pg_catalog.text;
    BEGIN
      PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true), pg_catalog.set_config('row_security', 'off', true);%3$s
      entry := jsonb_populate_record(NULL::audit.tracked_table, %1$L);
      entry.relid := coalesce((SELECT tracked.relid FROM audit.tracked_table tracked WHERE tracked.table_id = %2$s), pg_partition_root(TG_RELID), TG_RELID);
      IF NOT old_too_large AND NOT too_large THEN
        BEGIN
          again := audit.reread_sql(entry, %7$L);
          IF again IS NOT NULL THEN
            EXECUTE again USING %9$s, %5$s;
          END IF;
        EXCEPTION
          WHEN transaction_rollback THEN
            RAISE;
          WHEN OTHERS THEN
            again := NULL;
            PERFORM audit.note_fault(%2$s, SQLSTATE);%8$s
        END;
        IF again IS NULL THEN
          EXECUTE audit.log_sql(entry, %4$L, '(SELECT ($3).*) n', '{$1,$2}') USING %9$s, %6$s;
        END IF;
        too_large := current_setting('sluice.too_large', true) = 'yes';
      END IF;
      PERFORM set_config('sluice.too_large', '', true);
      IF too_large AND again IS NOT NULL THEN
        again := audit.large_rows_sql(entry, 'U', audit.reread_sql(entry, %7$L, true));
        EXECUTE again USING %9$s, %5$s;
      ELSIF too_large THEN
        EXECUTE audit.large_rows_sql(entry, %4$L, '(SELECT ($3).*) r') USING %9$s, %6$s;
      END IF;
      IF old_too_large THEN
        EXECUTE audit.large_rows_sql(entry, 'D', '(SELECT ($3).*) r') USING %9$s, OLD;
      END IF;
      PERFORM set_config('row_security', security, true), set_config('search_path', path, true);
      RETURN nothing;
    END;
  END;
END
$body$,
      audit.capture_entry(tracked),
      tracked.table_id,
      replace(values_of, E'\n  ', E'\n    '),
      op,
      CASE op WHEN 'I' THEN 'NEW' WHEN 'U' THEN 'OLD, NEW' ELSE 'OLD' END,
      rec,
      CASE op WHEN 'U' THEN 'SELECT ($3).* UNION ALL SELECT ($4).*' ELSE 'SELECT ($3).*' END,
      CASE WHEN op = 'U' AND keyed THEN E'\n            EXECUTE audit.log_sql(entry, ''D'', ''(SELECT ($3).*) n'', ''{$1,$2}'') USING ' || params || ', OLD;' END,
      params));
END
$$;
