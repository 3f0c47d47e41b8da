SELECT b.id, b.ordinal::float8 AS ordinal, b.kind, to_json(b.cut_at AT TIME ZONE 'UTC') #>> '{}' || 'Z' AS cut
FROM audit.batch b WHERE b.state = 'open'
