-- Those of the batches $ids (JSON list of uuids) that the lake holds, or after which it has noted a gap.
SELECT id FROM (SELECT batch_uuid AS id FROM lake.sluice.batch UNION SELECT source_batch FROM lake.sluice.gap)
WHERE id IN (SELECT unnest($ids::UUID[]))
