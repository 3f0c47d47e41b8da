-- What a batch brought for one table, without rows of no _seq (see Projection.strict). {typed} its typed changes · {seq} {ts} our own columns
SELECT count({seq}) AS changes, max({seq})::VARCHAR AS last_seq, max({ts})::VARCHAR AS last_ts FROM {typed}
