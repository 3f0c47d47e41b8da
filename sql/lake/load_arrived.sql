-- sql/lake/load_arrived.sql
-- What arrived of a chunk. lossy: a value has none in the lake's types · odd: see oddCondition
-- {rows} the rows · {lost} their column of lost values · {odd} that condition
SELECT count(*) AS "rows", count({lost}) > 0 AS lossy, coalesce(bool_or({odd}), false) AS odd FROM {rows}
