-- sql/lake/retain_changes.sql
-- Of each key in temp.retain_last all changes up to batch $last go but the last; that too where it is a DELETE. Keys without a change in the slice have
-- one row from before it, or none: so this reads their key and nothing is sorted.
-- {changes} the typed log · {same_key} c and l have the same key · {seq} {batch} our own columns
DELETE FROM {changes} AS c USING temp.retain_last AS l
WHERE c.{batch} <= $last::BIGINT AND {same_key} AND (l."_sluice op" = 'D' OR struct_pack(b := c.{batch}, s := c.{seq}) < l."_sluice at")
