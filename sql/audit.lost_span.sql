-- Between which instants changes may have been lost by the crash that emptied the buffer; no row while the sentinel stands.
-- From the cut of the last batch that reached the lake: everything before it was delivered.
CREATE OR REPLACE FUNCTION audit.lost_span() RETURNS TABLE (epoch uuid, lost_from timestamptz, lost_to timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT e.epoch, coalesce((SELECT max(b.cut_at) FROM audit.batch b WHERE b.state = 'done' AND b.cut_at >= e.started_at), e.started_at), clock_timestamp()
  FROM audit.epoch e
  WHERE NOT EXISTS (SELECT FROM audit.sentinel s WHERE s.epoch = e.epoch)
$$;
