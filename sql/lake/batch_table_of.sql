-- What a batch brought for one table. {typed} its typed changes · {seq} {ts} our own columns
SELECT count(*) AS changes, max({seq})::VARCHAR AS last_seq, max({ts})::VARCHAR AS last_ts FROM {typed}
