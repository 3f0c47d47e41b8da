-- sql/lake/typed_last.sql
-- The last change of each key in this batch, of those after its last TRUNCATE. A key with a value that the lake can't hold has no row in
-- the state: it could not be found again (the loss is noted). $truncated: cdc_seq of the last TRUNCATE, or null.
-- {typed} the typed changes · {key} the key's columns · {whole} that all of them are there · {op} {seq} our own columns
CREATE OR REPLACE TEMP TABLE typed_last AS
SELECT t.* FROM {typed} AS t
SEMI JOIN (
  SELECT max({seq}) AS seq FROM {typed} WHERE {whole} AND ($truncated::BIGINT IS NULL OR {seq} > $truncated::BIGINT) GROUP BY {key}
) AS m ON t.{seq} = m.seq
