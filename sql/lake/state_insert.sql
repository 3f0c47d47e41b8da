-- sql/lake/state_insert.sql
-- {state} the state · {columns} its columns · {typed} the typed changes · {op} {seq} our own columns
INSERT INTO {state} ({columns})
SELECT {columns} FROM {typed} AS t SEMI JOIN (FROM temp.typed_last WHERE {op} <> 'D') AS l ON t.{seq} = l.{seq}
