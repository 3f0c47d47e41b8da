-- The JSON text of one row that may be too large for that; NULL if it is.
-- PostgreSQL can't build a text above 1 GB, and a reader of the buffer takes at most 256 MB in one value.
-- Called for rows stored in more than 128 kB only, because the exception block costs a subtransaction: compressed text grows by at
-- most 1:255 (lz4) and by 1:6 again where JSON escapes it, so a smaller row stays below the limit. Sets sluice.too_large for the calling trigger function.
CREATE OR REPLACE FUNCTION audit.row_json(image record) RETURNS json
LANGUAGE plpgsql
  SET search_path = pg_catalog, pg_temp
  SET "TimeZone" = 'UTC'
  SET "DateStyle" = 'ISO, YMD'
  SET "IntervalStyle" = 'postgres'
  SET bytea_output = 'hex'
  SET extra_float_digits = 1
  SET lc_monetary = 'C'
AS $$
DECLARE
  whole json;
BEGIN
  BEGIN
    whole := row_to_json(image);
    IF octet_length(whole::text) <= 268435456 THEN
      RETURN whole;
    END IF;
  EXCEPTION WHEN program_limit_exceeded OR out_of_memory OR internal_error THEN
    NULL;  -- "Cannot enlarge string buffer": the row is too large, which the lines below say
  END;
  PERFORM set_config('sluice.too_large', 'yes', true);
  RETURN NULL;
END
$$;
