-- sql/lake/staged_tables.sql
-- The tables that have changes in the staging table.
SELECT DISTINCT table_id FROM temp.stage ORDER BY 1
