-- A limit that has other numbers is looked at again at each of its keys, of which there may be a million: in parts, by whichever supervisor
-- releases (docs/limits-semantics.md, "A change").
ALTER TABLE limits ADD COLUMN revisit varchar COLLATE "C"; -- keys after this one were not looked at yet; null: all were

-- Rows that keys have admitted and that no worker has claimed yet. Bitmap scans only, as rota_limit_states.
CREATE FUNCTION rota_limits_admitted(of_keys varchar[], most integer)
RETURNS TABLE (hash varchar, scheduler varchar, id uuid) LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_indexscan = off SET enable_indexonlyscan = off SET enable_bitmapscan = on AS $$
BEGIN
  RETURN QUERY SELECT q.hash, q.scheduler, q.id FROM queue q WHERE NOT q.held AND q.limits && of_keys LIMIT most;
END $$;

-- As of 0033, and whether a key has let go more than its numbers allow: since they are others.
DROP FUNCTION rota_limit_states;
CREATE FUNCTION rota_limit_states(of_keys varchar[], closed varchar[], opens timestamptz[])
RETURNS TABLE (key varchar, known boolean, room integer, next_at timestamptz, over boolean) LANGUAGE plpgsql STABLE ROWS 100
SET enable_seqscan = off SET enable_indexscan = off SET enable_indexonlyscan = off SET enable_bitmapscan = on AS $$
DECLARE
  plenty CONSTANT integer := 1000000;
  moment CONSTANT timestamptz := statement_timestamp();
BEGIN
  RETURN QUERY
  WITH wanted AS MATERIALIZED (
    SELECT k.key AS value, i.kind, i.name, i.spacing, i.burst, i.concurrency, i.counted_at IS NOT NULL AS counted
    FROM unnest(of_keys) AS k (key) LEFT JOIN limits i ON i.name = split_part(k.key, '/', 1) AND i.removed_at IS NULL
  ),
  taken AS MATERIALIZED (
    SELECT w.*,
      CASE WHEN w.kind = 'limit' THEN (
        SELECT count(DISTINCT coalesce(q.deduplication_key, q.id::text))::integer FROM queue q
        WHERE NOT q.held AND q.limits @> ARRAY[w.value]::varchar[]) END AS admitted,
      CASE WHEN w.spacing IS NOT NULL THEN (
        SELECT count(DISTINCT (c.unit, c.xact))::integer FROM limit_changes c WHERE c.key = w.value AND c.spent) END AS unfolded,
      CASE WHEN w.spacing IS NOT NULL THEN
        greatest(moment, coalesce((SELECT l.tat FROM limiters l WHERE l.key = w.value), '-infinity')) END AS theoretical,
      CASE WHEN w.concurrency IS NOT NULL THEN (
        SELECT count(DISTINCT e.unit)::integer FROM limit_claims e WHERE e.limits @> ARRAY[w.value]::varchar[]) END AS running
    FROM wanted w
  ),
  rooms AS MATERIALIZED (
    SELECT t.*,
      least(t.burst, floor(extract(epoch FROM moment + t.burst * t.spacing - t.theoretical) / extract(epoch FROM t.spacing)))
        - t.admitted - t.unfolded AS by_rate,
      -- What runs since before the limit was set is counted first (apply.ts).
      CASE WHEN t.counted THEN t.concurrency - t.admitted - t.running WHEN t.concurrency IS NOT NULL THEN 0 END AS by_concurrency
    FROM taken t
  )
  SELECT r.value, r.kind IS NOT NULL,
    CASE WHEN r.kind = 'window' AND r.name = ANY (closed) THEN 0
      ELSE greatest(0, least(plenty, r.by_rate, r.by_concurrency))::integer END,
    CASE WHEN r.kind = 'window' THEN coalesce(opens[array_position(closed, r.name)], moment)
      -- What is admitted and not claimed yet takes a token when it is claimed, and that is told, as is any other end of it. A look a
      -- second at each of ten thousand keys whose rows no worker takes kept new ones waiting for seconds.
      WHEN r.by_rate <= 0 THEN CASE WHEN r.admitted >= r.burst THEN moment + interval '1 minute'
        ELSE r.theoretical - (r.burst - 1 - r.admitted - r.unfolded) * r.spacing END
      WHEN r.by_concurrency <= 0 THEN moment + CASE WHEN r.counted THEN interval '1 minute' ELSE interval '2 seconds' END
      ELSE moment END,
    coalesce(least(r.by_rate, r.by_concurrency) < 0, false)
  FROM rooms r;
END $$;
