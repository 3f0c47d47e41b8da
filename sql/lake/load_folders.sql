-- sql/lake/load_folders.sql
-- Folders, below the data path, where DuckLake puts data files of a typed log and of a state. None for a table that is partitioned, none in an encrypted lake:
-- those are DuckLake's own to write.
-- {metadata} where DuckLake's own tables are · $changes_schema, $changes_name, $state_schema, $state_name
SELECT s.schema_name || '.' || t.table_name AS "table", s.path || t.path AS folder
FROM {metadata}.ducklake_table AS t JOIN {metadata}.ducklake_schema AS s ON s.schema_id = t.schema_id
WHERE t.end_snapshot IS NULL AND s.end_snapshot IS NULL AND t.path_is_relative AND s.path_is_relative
  AND (s.schema_name = $changes_schema AND t.table_name = $changes_name OR s.schema_name = $state_schema AND t.table_name = $state_name)
  AND NOT EXISTS (FROM {metadata}.ducklake_partition_info AS p WHERE p.table_id = t.table_id AND p.end_snapshot IS NULL)
  AND NOT EXISTS (FROM {metadata}.ducklake_metadata AS m WHERE m.key = 'encrypted' AND m.value = 'true')
