-- sql/lake/load_places.sql
-- Where the source has the rows that the lake lacks or has otherwise, as ctids, by the table they are in. {relid} {at} {difference} columns of ours
SELECT {relid} AS relid, list(DISTINCT '(' || {at} // 65536 || ',' || {at} % 65536 || ')') AS places
FROM temp.load_difference WHERE {difference} <> 'extra' GROUP BY ALL
