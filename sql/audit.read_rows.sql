-- Rows of a tracked table, for a load: those of a range of pages, or those at given places, as one statement sees them. With the table's rules applied:
-- whoever may execute this sees no more than what capture logs, and needs no right on the table.
--   tid         the table's id       leaf  the table, or the partition of it that is read
--   ways        how each column is read, see audit.read_columns_sql
--   first_page, pages  the range     places  instead of it: ctids
--   placed      whether the first column is the row's ctid, as text
--   checked     numbers of numeric columns: a last column says whether any of them is NaN, for which the reader would take 0
-- Returns the columns. The rows are put aside before the first one is handed out (in temporary files where they exceed work_mem),
-- so ask for few enough. The settings are those of capture functions, so that texts are the same.
-- Whoever reads waits for no long transaction that has locked the table: lock_not_available (55P03), as everybody who waits for locks here.
-- Raises undefined_table where the leaf is not the table's any more, and what reading it raises.
CREATE OR REPLACE FUNCTION audit.read_rows(tid integer, leaf oid, ways jsonb, first_page bigint, pages bigint, places text[] DEFAULT NULL, placed boolean DEFAULT true, checked smallint[] DEFAULT '{}') RETURNS SETOF record
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET "TimeZone" = 'UTC' SET "DateStyle" = 'ISO, YMD' SET "IntervalStyle" = 'postgres'
SET bytea_output = 'hex' SET extra_float_digits = 1 SET lc_monetary = 'C' SET row_security = off SET lock_timeout = '50ms'
AS $$
DECLARE
  tracked audit.tracked_table;
  hash_key bytea;
BEGIN
  SELECT * INTO tracked FROM audit.tracked_table t WHERE t.table_id = tid;
  IF tracked.relid IS NULL OR leaf <> tracked.relid::oid AND leaf NOT IN (SELECT p.relid FROM audit.partitions(tracked.relid) p WHERE p.isleaf) THEN
    RAISE EXCEPTION 'relation % is none of tracked table %', leaf, tid USING ERRCODE = 'undefined_table';
  END IF;
  SELECT k.hash_key INTO hash_key FROM audit.hash_key k;
  RETURN QUERY EXECUTE audit.rows_sql(tracked, leaf, ways, CASE WHEN places IS NULL THEN audit.pages_sql(first_page, pages) ELSE 'r.ctid = ANY ($2::tid[])' END, placed, checked)
    USING hash_key, places;
END
$$;
