SELECT EXISTS (SELECT FROM audit.cdc) OR EXISTS (SELECT FROM audit.cdc_old) AS pending,
  EXISTS (SELECT FROM audit.sentinel s JOIN audit.epoch e USING (epoch)) AS sentinel,
  EXISTS (SELECT FROM audit.load l WHERE l.done_at IS NULL AND l.began_at IS NULL) AS requested,
  (SELECT row_to_json(o) FROM (
{open_batch}) o) AS open
