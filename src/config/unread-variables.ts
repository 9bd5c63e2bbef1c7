/** A variable that is set but not read: most likely one of ours, misspelt. */
export interface UnreadVariable {
  readonly name: string;
  /** The variable that was probably meant; null where none is like it. */
  readonly meant: string | null;
}

/** Names of KAT with Rota's prefixes that Rota does not use: mula's settings in all of KAT 1.x, its database's, its address. */
const ofKat: ReadonlySet<string> = new Set([
  'SCHEDULER_API',
  'SCHEDULER_DB',
  'SCHEDULER_DB_HOST',
  'SCHEDULER_DB_PASSWORD',
  'SCHEDULER_DB_PORT',
  'SCHEDULER_DB_USER',
  'SCHEDULER_DB_USER_CREATEDB',
  'SCHEDULER_BOEFJE_POPULATE',
  'SCHEDULER_BYTES_PASSWORD',
  'SCHEDULER_BYTES_URL',
  'SCHEDULER_BYTES_USERNAME',
  'SCHEDULER_DEBUG',
  'SCHEDULER_DSP_BROKER_URL',
  'SCHEDULER_HOST',
  'SCHEDULER_KATALOGUS_CACHE_TTL',
  'SCHEDULER_KATALOGUS_URL',
  'SCHEDULER_LOG_CFG',
  'SCHEDULER_METRICS_URL',
  'SCHEDULER_MONITOR_ORGANISATIONS_INTERVAL',
  'SCHEDULER_NORMALIZER_POPULATE',
  'SCHEDULER_OCTOPOES_URL',
  'SCHEDULER_PQ_GRACE',
  'SCHEDULER_PQ_INTERVAL',
  'SCHEDULER_PQ_MAX_RANDOM_OBJECTS',
]);

/** Kubernetes sets variables for each service; those of one called `scheduler` or `nats` look like ours. */
const ofKubernetes = /^(?:SCHEDULER|NATS)_[A-Z0-9_]+$/;
const ofAService = /_(?:SERVICE_(?:HOST|PORT)|PORT_\d+_(?:TCP|UDP))(?:_|$)/;
const serviceAddress = /^(?:tcp|udp|sctp):\/\//;

/** For names with Rota's prefixes. Others must be one letter away from a long name: an environment has many names. */
const mostEdits = 2;
const leastLength = 8;

/** A custom scheduler may have any name; one that nearly matches a shipped one is most likely misspelt. */
const ranker = /^SCHEDULER_[A-Z0-9_]+_RANKER$/;
const rankersShipped = ['BOEFJE', 'NORMALIZER', 'REPORT'].map((scheduler) => `SCHEDULER_${scheduler}_RANKER`);

/** The names in `others`, which Rota does not read, that look like one it reads. */
export function unreadVariables(
  others: Readonly<Record<string, string>>,
  known: readonly string[],
): readonly UnreadVariable[] {
  return Object.entries(others).flatMap(([name, value]): UnreadVariable[] => {
    if (
      rankersShipped.includes(name) ||
      ofKat.has(name) ||
      (ofKubernetes.test(name) && ofAService.test(name)) ||
      serviceAddress.test(value)
    )
      return [];
    const upper = name.toUpperCase();
    const [nearest, distance] = [...known, ...rankersShipped]
      .map((candidate) => [candidate, edits(upper, candidate)] as const)
      .reduce((best, next) => (next[1] < best[1] ? next : best));
    const begins = /^(?:SCHEDULER|NATS)_/.test(upper);
    if (begins ? distance <= mostEdits : distance <= 1 && nearest.length >= leastLength) {
      return [{ name, meant: nearest }];
    }
    return name.startsWith('SCHEDULER_') && !ranker.test(name) ? [{ name, meant: null }] : [];
  });
}

export function sentenceOf({ name, meant }: UnreadVariable): string {
  return `${name} is not read${meant === null ? ': Rota and mula have no such variable' : `: ${meant} was probably meant`}`;
}

/** The edit distance: letters to add, drop, change or swap with their neighbour. */
function edits(from: string, to: string): number {
  // Saves the work: most names are far apart.
  if (Math.abs(from.length - to.length) > mostEdits) return Number.POSITIVE_INFINITY;
  let [beforeLast, last] = [[] as number[], Array.from({ length: to.length + 1 }, (_, at) => at)];
  for (let row = 1; row <= from.length; row += 1) {
    const next = [row];
    for (let at = 1; at <= to.length; at += 1) {
      const same = from[row - 1] === to[at - 1];
      const swapped = row > 1 && at > 1 && from[row - 1] === to[at - 2] && from[row - 2] === to[at - 1];
      next[at] = Math.min(
        last[at]! + 1,
        next[at - 1]! + 1,
        last[at - 1]! + (same ? 0 : 1),
        swapped ? beforeLast[at - 2]! + 1 : Number.POSITIVE_INFINITY,
      );
    }
    [beforeLast, last] = [last, next];
  }
  return last[to.length]!;
}
