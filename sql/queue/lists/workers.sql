-- Who has tasks in hand, and how long, of the leases that end first: a place may have more leases than a look should read.
-- returns worker, holder (of REST: its token or address), via, scheduler, holds, begun, oldest_ms, until_ms, leases (of all that were read),
-- workers (rows, also those beyond $2), most tasks first
-- $1 leases that are read at most, $2 rows at most
SELECT l.worker, CASE WHEN l.via = 'rest' THEN l.holder END AS holder, l.via, l.scheduler, count(*)::float8 AS holds,
  count(*) FILTER (WHERE l.begun)::float8 AS begun,
  extract(epoch FROM min(l.claimed_at))::float8 * 1000 AS oldest_ms, extract(epoch FROM min(l.until))::float8 * 1000 AS until_ms,
  (sum(count(*)) OVER ())::float8 AS leases, (count(*) OVER ())::float8 AS workers
FROM (SELECT worker, holder, via, scheduler, begun, claimed_at, until FROM leases ORDER BY until LIMIT $1) AS l
GROUP BY 1, 2, 3, 4
ORDER BY holds DESC, l.worker, 2, l.scheduler LIMIT $2
