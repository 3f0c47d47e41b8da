-- The last verification of each tracked table. repaired: it mended what it found, or a load since has.
SELECT DISTINCT ON (l.table_id) l.table_id, l.done_at AS at, l.sample, l.result,
  l.mode = 'repair' OR EXISTS (SELECT FROM audit.load m WHERE m.table_id = l.table_id AND m.mode IN ('compare', 'full', 'reset', 'repair')
    AND m.sample IS NULL AND m.began_at > l.done_at AND m.result IS NOT NULL) AS repaired
FROM audit.load l JOIN audit.tracked_table t ON t.table_id = l.table_id AND t.relid IS NOT NULL
WHERE l.mode IN ('verify', 'repair') AND l.result IS NOT NULL
ORDER BY l.table_id, l.done_at DESC
