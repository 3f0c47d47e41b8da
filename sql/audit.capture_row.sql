-- AFTER ROW trigger of a partitioned table; PostgreSQL clones it onto every partition, also later ones, so that changes made to a
-- partition directly are seen too. Argument: the root's id in audit.tracked_table.
-- Order: see audit.capture_statement. Here the letters are pushed on the root and on the partitions that existed at track, and taken
-- off by audit.capture_end; an UPDATE that changes a key has put a capital X where no letter stands. Any capital: read again.
-- No letter at all: a partition that came after track is changed directly, so read again as well.
CREATE OR REPLACE FUNCTION audit.capture_row() RETURNS trigger
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
  stack text := coalesce(current_setting('sluice.t' || TG_ARGV[0], true), '');
  entry audit.tracked_table;
  image json;
  again text;
BEGIN
  IF stack = '' OR stack <> lower(stack) THEN
    BEGIN
      SELECT * INTO entry FROM audit.tracked_table tracked WHERE tracked.table_id = tid;
      again := audit.reread_sql(entry, 'SELECT ($2).*');
      IF again IS NOT NULL THEN
        IF TG_OP <> 'INSERT' THEN
          EXECUTE again USING tid, OLD;
        END IF;
        IF TG_OP <> 'DELETE' THEN
          EXECUTE again USING tid, NEW;
        END IF;
      END IF;
    EXCEPTION
      WHEN transaction_rollback THEN
        RAISE;
      WHEN OTHERS THEN
        again := NULL;
        PERFORM audit.note_fault(tid, SQLSTATE);
    END;
  END IF;
  IF again IS NULL THEN
    IF TG_OP = 'DELETE' THEN
      image := CASE WHEN pg_column_size(OLD) <= 131072 THEN row_to_json(OLD) ELSE audit.row_json(OLD) END;
    ELSE
      image := CASE WHEN pg_column_size(NEW) <= 131072 THEN row_to_json(NEW) ELSE audit.row_json(NEW) END;
    END IF;
    IF image IS NOT NULL THEN
      INSERT INTO audit.cdc (cdc_op, table_id, data) VALUES (left(TG_OP, 1)::"char", tid, image);
    END IF;
  END IF;
  IF current_setting('sluice.too_large', true) = 'yes' THEN
    PERFORM set_config('sluice.too_large', '', true);
    IF again IS NOT NULL THEN
      again := audit.large_rows_sql(entry.relid, audit.reread_sql(entry, 'SELECT ($3).*', true));
      IF TG_OP <> 'INSERT' THEN
        EXECUTE again USING 'U', tid, OLD;
      END IF;
      IF TG_OP <> 'DELETE' THEN
        EXECUTE again USING 'U', tid, NEW;
      END IF;
    ELSIF TG_OP = 'DELETE' THEN
      EXECUTE audit.large_rows_sql(TG_RELID, '(SELECT ($3).*) r') USING left(TG_OP, 1), tid, OLD;
    ELSE
      EXECUTE audit.large_rows_sql(TG_RELID, '(SELECT ($3).*) r') USING left(TG_OP, 1), tid, NEW;
    END IF;
  END IF;
  RETURN NULL;
END
$$;
