-- Changes as one JSON text, an array of [cdc_seq, cdc_xid, cdc_ts, cdc_op, table_id, data, context] each, all of them strings or null.
-- changes: a query with these columns. The time in ISO 8601, whatever DateStyle the role has. Strings: numbers of JSON are no more exact than a reader makes them, and data is wanted to the letter.
SELECT coalesce(json_agg(json_build_array(f.cdc_seq::text, f.cdc_xid::text, to_json(f.cdc_ts) #>> '{}', f.cdc_op, f.table_id::text, f.data::text, f.context::text)), '[]')::text
FROM ({changes}) f
