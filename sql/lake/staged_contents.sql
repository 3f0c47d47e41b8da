-- sql/lake/staged_contents.sql
-- What the staging table holds of each table: see TableContents in src/model/batch.ts.
SELECT table_id, count(*) AS n, max(cdc_seq) AS last_seq, bool_or(context IS NOT NULL) AS context FROM temp.stage GROUP BY table_id
