-- sql/lake/state_insert.sql
-- {state} the state · {columns} its columns · {typed} the typed changes · {op} our own column · {with_last} the join with temp.typed_last; nothing where that
-- has every change: of a million changes 0.14 s of CPU less
INSERT INTO {state} ({columns})
SELECT {columns} FROM (FROM {typed} WHERE {op} <> 'D') AS t {with_last}
