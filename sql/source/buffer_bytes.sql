-- What the buffer takes on the disk, committed or not, with the room that moved rows have left.
SELECT (pg_total_relation_size('audit.cdc') + pg_total_relation_size('audit.cdc_old'))::float8 AS bytes
