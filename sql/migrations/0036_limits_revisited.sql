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
