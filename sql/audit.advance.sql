-- Let captured changes go on with numbers above `seq`, after a failover or a restore has set the sequence back. Returns whether it was behind.
-- No lock keeps writers from taking numbers between the look and the setval, and none may: they would wait. So the jump is wider than what they can take
-- in that instant, or while this process is suspended: 2^32 numbers, an hour and more of the fastest load, and a two-thousand-millionth of what there are.
CREATE OR REPLACE FUNCTION audit.advance(seq bigint) RETURNS boolean
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT (SELECT setval('audit.cdc_seq', advance.seq + 4294967296) FROM audit.cdc_seq s
    WHERE s.last_value < advance.seq OR s.last_value = advance.seq AND NOT s.is_called) IS NOT NULL
$$;
