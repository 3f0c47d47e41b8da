-- sql/lake/load_listed.sql
-- What a comparison has found, for people to read. {difference} our column · {key} the key's columns as arguments of struct_pack
-- $load_id, $table_schema, $table_name
INSERT INTO lake.sluice.difference
SELECT DISTINCT $load_id::UUID, $table_schema, $table_name, {difference}, to_json(struct_pack({key})), now() FROM temp.load_difference
