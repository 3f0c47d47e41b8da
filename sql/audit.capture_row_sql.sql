-- The body of audit.capture_<id> for a partitioned table: an AFTER ROW trigger function; PostgreSQL clones the trigger onto every partition, also
-- later ones, so that changes made to a partition directly are seen too. For what is common see audit.capture_statement_sql.
-- Order: here the letters are pushed on the root and on the partitions that existed at track, and taken off by audit.capture_end.
-- Any capital, or a changed key: read again. No letter at all: a partition that came after track is changed directly, so read again as well.
-- A row that moves to another partition arrives as DELETE and INSERT, in the order in which PostgreSQL made room for it.
CREATE OR REPLACE FUNCTION audit.capture_row_sql(tracked audit.tracked_table) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT format($body$
<<sluice>>
DECLARE
  stack text := coalesce(current_setting('sluice.t%1$s', true), '');
  dirty boolean := stack = '' OR stack <> lower(stack);
  image json;
  hash_key bytea;
  context json;
BEGIN%2$s
  IF NOT dirty AND %3$s THEN
    IF %4$s THEN
      IF TG_OP = 'UPDATE' THEN
        dirty := %5$s;
      END IF;
    ELSE
      dirty := true;
    END IF;
  END IF;

  IF NOT dirty THEN
    IF TG_OP = 'DELETE' THEN
      image := %6$s;
    ELSE
      image := %7$s;
    END IF;
    IF image IS NOT NULL THEN
      INSERT INTO audit.cdc (cdc_op, table_id, data%8$s) VALUES (left(TG_OP, 1)::"char", %1$s, sluice.image%9$s);
    END IF;
  END IF;

  IF dirty OR current_setting('sluice.too_large', true) = 'yes' THEN
    DECLARE
      entry audit.tracked_table := jsonb_populate_record(NULL::audit.tracked_table, %10$L);
      op text := left(TG_OP, 1);
      again text;
    BEGIN
      entry.relid := coalesce((SELECT tracked.relid FROM audit.tracked_table tracked WHERE tracked.table_id = %1$s), pg_partition_root(TG_RELID), TG_RELID);
      IF dirty THEN
        BEGIN
          again := audit.reread_sql(entry, 'SELECT ($3).*');
          IF again IS NOT NULL THEN
            IF TG_OP <> 'INSERT' THEN
              EXECUTE again USING hash_key, context, OLD;
            END IF;
            IF TG_OP <> 'DELETE' THEN
              EXECUTE again USING hash_key, context, NEW;
            END IF;
          END IF;
        EXCEPTION
          WHEN transaction_rollback THEN
            RAISE;
          WHEN OTHERS THEN
            again := NULL;
            PERFORM audit.note_fault(%1$s, SQLSTATE);
        END;
        IF again IS NULL AND TG_OP = 'DELETE' THEN
          EXECUTE audit.log_sql(entry, op, '(SELECT ($3).*) n', '{$1,$2}') USING hash_key, context, OLD;
        ELSIF again IS NULL THEN
          EXECUTE audit.log_sql(entry, op, '(SELECT ($3).*) n', '{$1,$2}') USING hash_key, context, NEW;
        END IF;
      END IF;
      IF current_setting('sluice.too_large', true) = 'yes' THEN
        PERFORM set_config('sluice.too_large', '', true);
        IF again IS NOT NULL THEN
          again := audit.large_rows_sql(entry, 'U', audit.reread_sql(entry, 'SELECT ($3).*', true));
          IF TG_OP <> 'INSERT' THEN
            EXECUTE again USING hash_key, context, OLD;
          END IF;
          IF TG_OP <> 'DELETE' THEN
            EXECUTE again USING hash_key, context, NEW;
          END IF;
        ELSIF TG_OP = 'DELETE' THEN
          EXECUTE audit.large_rows_sql(entry, op, '(SELECT ($3).*) r') USING hash_key, context, OLD;
        ELSE
          EXECUTE audit.large_rows_sql(entry, op, '(SELECT ($3).*) r') USING hash_key, context, NEW;
        END IF;
      END IF;
    END;
  END IF;
  RETURN NULL;
END
$body$,
    tracked.table_id,
    audit.capture_values_sql(tracked),
    CASE WHEN audit.has_rules(tracked.rules) THEN 'true' ELSE $c$TG_OP = 'UPDATE'$c$ END,
    audit.layout_is_sql(tracked),
    -- Byte by byte: 1.0 and 1.00 are two keys. For the constant see audit.row_image_sql.
    coalesce((SELECT format('%L::regclass IS NOT NULL AND record_image_ne(ROW(%s), ROW(%s))', tracked.relid::oid::text, string_agg(format('OLD.%I', k.name), ', '), string_agg(format('NEW.%I', k.name), ', '))
              FROM audit.key_columns(tracked) k HAVING count(*) > 0), 'false'),
    audit.row_image_sql(tracked, 'OLD'),
    audit.row_image_sql(tracked, 'NEW'),
    CASE WHEN tracked.context THEN ', context' END,
    CASE WHEN tracked.context THEN ', sluice.context' END,
    audit.capture_entry(tracked))
$$;
