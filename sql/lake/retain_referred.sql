-- sql/lake/retain_referred.sql
-- The batches before $last that a typed log still has rows of: the history needs their cuts. {changes} the typed log · {batch} our own column
INSERT INTO temp.retain_batch SELECT DISTINCT {batch} FROM {changes} WHERE {batch} < $last::BIGINT
