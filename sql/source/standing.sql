-- Where the source stands, for a lake to be held against. $1: the id of a batch that it may or may not know, null for none.
SELECT
  $1::uuid IS NULL OR EXISTS (SELECT FROM audit.batch b WHERE b.id = $1::uuid) AS knows,
  (SELECT json_build_object('id', b.id, 'ordinal', b.ordinal, 'cut', to_json(b.cut_at AT TIME ZONE 'UTC') #>> '{}' || 'Z')
    FROM audit.batch b WHERE b.state = 'done' ORDER BY b.ordinal DESC LIMIT 1) AS newest,
  to_json(e.started_at AT TIME ZONE 'UTC') #>> '{}' || 'Z' AS epoch_start,
  EXISTS (SELECT FROM audit.sentinel s WHERE s.epoch = e.epoch) AS sentinel,
  to_json(clock_timestamp() AT TIME ZONE 'UTC') #>> '{}' || 'Z' AS now
FROM audit.epoch e
