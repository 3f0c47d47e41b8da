-- sql/lake/load_seen.sql
-- What a comparison keeps of rows that it has read: the key, a hash and where the source has it.
-- {seen} where it is kept · {key} the key's columns · {columns} all columns · {relid} the table they were read from · {at} their column of the place
-- {relation} the rows · {whole} no column of the key is null
INSERT INTO {seen}
SELECT {key}, hash({columns}), {relid}, {at} FROM {relation} WHERE {whole}
