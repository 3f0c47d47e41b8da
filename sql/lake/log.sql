-- A batch into the log.
-- {from} the batch: a FROM item · $batch_id the lake's number of it · $tables: JSON object of the tracked tables, id → [schema, name]
--
-- cdc_uuid is a UUIDv7 made of the change itself, so that a replay gives the same: 48 bits of milliseconds, version 7, the
-- microseconds within the millisecond in the 12 bits behind it, variant 10, then cdc_seq in the 62 bits left. It sorts by time, then
-- sequence. Per million, of one thread: this 0.16 s, two hexadecimal texts put together 0.33. TRY: what is wrong with a row is found out in staged.sql.
-- Unsorted: readers order by (batch_id, cdc_seq) anyway, and sorting a million rows at 384 MB of memory took a third of the statement.
-- A table that the source does not name (triggers restored without their registry) is delivered as '?', 'table 17' rather than not at all.
INSERT INTO lake.main.cdc (dl_ts, cdc_uuid, cdc_ts, cdc_op, table_schema, table_name, data, cdc_seq, cdc_xid, batch_id, context, table_id)
SELECT
  now(),
  TRY((
    greatest((epoch_us(s.cdc_ts) // 1000) * 65536 + 28672 + epoch_us(s.cdc_ts) % 1000, 0)::HUGEINT * 18446744073709551616::HUGEINT
    + CASE WHEN s.cdc_seq >= 0 THEN 9223372036854775808::HUGEINT + s.cdc_seq::HUGEINT END
  )::BIT::BLOB::UUID),
  s.cdc_ts,
  s.cdc_op,
  coalesce(t.table_schema, '?'),
  coalesce(t.table_name, 'table ' || s.table_id),
  s.data,
  s.cdc_seq,
  s.cdc_xid,
  $batch_id::BIGINT,
  s.context,
  s.table_id
FROM {from} AS s
LEFT JOIN (SELECT key::INTEGER AS table_id, value ->> 0 AS table_schema, value ->> 1 AS table_name FROM json_each($tables::JSON)) AS t ON t.table_id = s.table_id
