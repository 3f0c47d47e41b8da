-- sql/lake/load_differences.sql
-- Keys of which the source's row and the state's are not the same. at, relid: where the source has it.
-- {seen} what was read of the source: keys, hash, relid, at · {state} the state · {key} the key's columns · {both} the same of either s or t
-- {join} FULL, or LEFT where only a sample was read: what the state has beside it says nothing
-- {hash} {difference} {relid} {at} columns of ours
-- {same_key} s and t have the same key · {columns} all columns · {whole} no column of the key is null
CREATE OR REPLACE TEMP TABLE load_difference AS
SELECT CASE WHEN t.{hash} IS NULL THEN 'missing' WHEN s.{hash} IS NULL THEN 'extra' ELSE 'different' END AS {difference},
  s.{relid}, s.{at}, {both}
FROM {seen} AS s {join} JOIN (SELECT {key}, hash({columns}) AS {hash} FROM {state} WHERE {whole}) AS t ON {same_key}
WHERE s.{hash} IS DISTINCT FROM t.{hash}
