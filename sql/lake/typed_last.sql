-- sql/lake/typed_last.sql
-- Key and _seq of the last change of each key in this batch, of those after its last TRUNCATE. A key with a value that the lake can't hold
-- has no row in the state: it could not be found again (the loss is noted). $truncated: cdc_seq of the last TRUNCATE, or null.
-- {typed} the typed changes · {key} the key's columns · {whole} that all of them are there · {seq} our own column
-- Not the whole rows: state_insert.sql finds them again. Per million changes of ten columns this is 0.13 s of CPU; with _op 0.22, with all columns 0.82.
CREATE OR REPLACE TEMP TABLE typed_last AS
SELECT {key}, max({seq}) AS {seq}
FROM {typed} WHERE {whole} AND ($truncated::BIGINT IS NULL OR {seq} > $truncated::BIGINT) GROUP BY {key}
