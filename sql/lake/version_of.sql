-- sql/lake/version_of.sql
-- The snapshot of a DuckLake that has the lake as the batch {last} left it, null when it has expired: the anchor's row of that batch came with it.
-- {catalog} the lake's name as a literal · {first} {newest} the oldest and the newest snapshot there are
SELECT max(snapshot_id) AS version FROM ducklake_table_insertions({catalog}, 'sluice', 'anchor', {first}, {newest}) WHERE last_batch_id = {last}
