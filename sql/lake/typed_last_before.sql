-- sql/lake/typed_last_before.sql
-- When a table's key has changed: of what typed_last holds only what is the last of its old key as well, for before the change the old one told rows
-- apart. {typed} the typed changes · {key} the old key's columns · {seq} our own column
DELETE FROM temp.typed_last AS l
WHERE l.{seq} NOT IN (SELECT max({seq}) FROM {typed} GROUP BY {key})
