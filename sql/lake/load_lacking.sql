-- sql/lake/load_lacking.sql
-- How many rows that are to be mended were not read again. {difference} our column · {found} that a row for d was read
SELECT count(*) AS n FROM temp.load_difference AS d WHERE {difference} <> 'extra' AND NOT {found}
