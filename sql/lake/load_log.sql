-- sql/lake/load_log.sql
-- Rows that a load brings, or takes away, into the typed log.
-- {changes} the typed log · {columns} the source's columns · {op} {seq} {batch} our own columns
-- {relation} the rows, as l · {distinct} DISTINCT ON the key, where a row may be among them twice, or nothing · {condition} those that are wanted
-- $kind: R or D · $mark: the seq of such rows · $batch_id: the load's number
INSERT INTO {changes} ({columns}, {op}, {seq}, {batch})
SELECT {distinct} {columns}, $kind, $mark::BIGINT, $batch_id::BIGINT FROM {relation} AS l WHERE {condition}
