-- sql/lake/typed_log.sql
-- A table's typed changes of this batch into its typed log.
-- {changes} the typed log · {into} its columns · {columns} the same of {typed}, the typed changes, which lack the batch
-- {with_context} how they come by their context: nothing, where no change of the batch has one
INSERT INTO {changes} ({into}) SELECT {columns} FROM {typed} AS t {with_context}
