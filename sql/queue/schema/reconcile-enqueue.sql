-- Queued tasks without a queue row get one; of duplicates, which mula's races leave, the oldest.
-- $1 created from then on
INSERT INTO queue (scheduler, held, rank, created_at, id, hash, organisation, plugin, image, deduplication_key)
SELECT t.scheduler_id, EXISTS (SELECT FROM rota_pausing(t.scheduler_id, t.organisation, c.plugin)),
  coalesce(t.priority, 2147483647), t.created_at, t.id, t.hash, t.organisation,
  c.plugin, c.image, c.deduplication_key
FROM tasks t, rota_queue_columns(t.type, t.data) c
WHERE t.status = 'QUEUED' AND t.created_at >= $1::timestamptz AND NOT EXISTS (SELECT FROM queue q WHERE q.id = t.id)
ORDER BY t.created_at, t.id
ON CONFLICT (hash, scheduler) DO NOTHING
