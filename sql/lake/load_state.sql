-- sql/lake/load_state.sql
-- Rows that a load brings into the state. {state} · {columns} the source's columns · {relation} {distinct} {condition} as of load_log.sql
INSERT INTO {state} ({columns})
SELECT {distinct} {columns} FROM {relation} AS l WHERE {condition}
