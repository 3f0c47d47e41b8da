-- sql/lake/retain_last.sql
-- The last change of each key in the batches above $done, up to $last, of those after the last TRUNCATE; NULLs in a key are alike, as they are to the history.
-- {changes} the typed log · {key} the key's columns · {op} {seq} {batch} our own columns
CREATE OR REPLACE TEMP TABLE retain_last AS
WITH slice AS (
  SELECT {key}, {op} AS "_sluice op", struct_pack(b := {batch}, s := {seq}) AS "_sluice at" FROM {changes} WHERE {batch} > $done::BIGINT AND {batch} <= $last::BIGINT
)
SELECT {key}, max("_sluice at") AS "_sluice at", arg_max("_sluice op", "_sluice at") AS "_sluice op"
FROM slice
WHERE "_sluice op" <> 'T' AND "_sluice at" > coalesce((SELECT max("_sluice at") FROM slice WHERE "_sluice op" = 'T'), struct_pack(b := -1::BIGINT, s := -1::BIGINT))
GROUP BY {key}
