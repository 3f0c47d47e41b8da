-- sql/lake/history_at.sql
-- A table as of a time, for people inside DuckDB: FROM public_history.orders_at('2026-03-03 12:00'). Works after USE of the lake.
-- {macro} · {history} the history · {columns} the source's columns · {from} {to} our own columns
CREATE OR REPLACE MACRO {macro}(t) AS TABLE
SELECT {columns} FROM {history} WHERE {from} <= t::TIMESTAMPTZ AND ({to} IS NULL OR {to} > t::TIMESTAMPTZ)
