-- sql/lake/retain_truncated.sql
-- TRUNCATEs up to batch $last go, with all that was before the last of them.
-- {changes} the typed log · {op} {seq} {batch} our own columns
DELETE FROM {changes} AS c
USING (SELECT max(struct_pack(b := {batch}, s := {seq})) AS at FROM {changes} WHERE {batch} > $done::BIGINT AND {batch} <= $last::BIGINT AND {op} = 'T') AS t
WHERE c.{batch} <= $last::BIGINT AND struct_pack(b := c.{batch}, s := c.{seq}) <= t.at
