-- {procedure}: audit.swap or audit.move. All null when the buffer was empty. $1: lock_timeout in milliseconds.
SELECT b.id, b.ordinal::float8 AS ordinal, b.kind, to_json(b.cut_at AT TIME ZONE 'UTC') #>> '{}' || 'Z' AS cut
FROM {procedure}($1::int4) b
