-- sql/lake/typed_log.sql
-- A table's typed changes into its typed log.
-- {changes} the typed log · {into} its columns · {columns} the same of t, the typed changes, and s, the staged ones
-- {typed} the typed changes · {with_stage} the join with temp.stage; nothing where t says it all
INSERT INTO {changes} ({into}) SELECT {columns} FROM {typed} AS t {with_stage}
