-- sql/lake/state_insert.sql
-- {state} the state · {columns} its columns · {op} our column of the operation
INSERT INTO {state} ({columns}) SELECT {columns} FROM temp.typed_last AS l WHERE l.{op} <> 'D'
