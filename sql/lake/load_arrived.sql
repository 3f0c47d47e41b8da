-- sql/lake/load_arrived.sql
-- What arrived of a chunk. lossy: a value has none in the lake's types · odd: see oddCondition
-- {rows} the rows · {lossy} {odd} these conditions
SELECT count(*) AS "rows", {lossy} AS lossy, coalesce(bool_or({odd}), false) AS odd FROM {rows}
