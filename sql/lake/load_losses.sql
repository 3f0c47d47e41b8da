-- sql/lake/load_losses.sql
-- What rows of a load have lost. $batch_id, $seq, $table_schema, $table_name · {relation} the rows, as l · {condition} those that are loaded · {lost} their column of that
INSERT INTO lake.sluice.loss
SELECT $batch_id::BIGINT, $seq::BIGINT, $table_schema, $table_name, unnest(l.{lost}), 'no value of the lake''s type'
FROM {relation} AS l WHERE l.{lost} IS NOT NULL AND {condition}
