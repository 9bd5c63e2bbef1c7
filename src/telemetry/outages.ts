import { emit, on } from './events.ts';
import type { Logger } from './log.ts';

/** Parts and connections that have failed and not answered since, in this thread. */
const failing = new Set<string>();

/**
 * Something that Rota stands on (`database`, `nats`, `rabbitmq`, a service of KAT) was asked and is away, or refuses.
 * `link`: which connection to it, where it has several that come and go by themselves.
 */
export function partFailed(part: string, reason: string, link = part): void {
  failing.add(link);
  emit({ name: 'part.failed', part, link, reason });
}

/** It answered. Costs nothing while nothing fails: statements of the hot path say so. */
export function partAnswered(part: string, link = part): void {
  if (failing.size > 0 && failing.delete(link)) emit({ name: 'part.answered', part, link });
}

interface Outage {
  readonly since: number;
  /** Connections that are lost, or a part that has not answered yet. */
  readonly open: Set<string>;
  failures: number;
  lastAt: number;
  toldAt: number;
  reason: string;
}

/** Without a failure for so long: a database that refuses writes, or a service that fails one organisation, answers between. */
const quietMs = 4_000;
const tellEveryMs = 60_000;
const lookEveryMs = 1_000;

/**
 * Tells of each part that is away: one line when it begins, one a minute with how often it failed, one when it ends. What
 * fails meanwhile for lack of it says so at debug only (failure-lines.ts). @returns what ends it.
 */
export function logOutages(
  log: Pick<Logger, 'warn' | 'info'>,
  now: () => number = () => performance.now(),
): () => void {
  const outages = new Map<string, Outage>();

  const failed = (part: string, link: string, reason: string): void => {
    const at = now();
    const known = outages.get(part);
    if (known === undefined) {
      outages.set(part, { since: at, open: new Set([link]), failures: 1, lastAt: at, toldAt: at, reason });
      log.warn({ part, reason }, 'outage begins');
      return;
    }
    known.open.add(link);
    Object.assign(known, { failures: known.failures + 1, lastAt: at, reason });
  };
  const answered = (part: string, link: string): void => void outages.get(part)?.open.delete(link);

  const look = (): void => {
    const at = now();
    for (const [part, { since, open, failures, lastAt, toldAt, reason }] of outages) {
      const seconds = Math.round((at - since) / 1_000);
      if (open.size === 0 && at - lastAt >= quietMs) {
        outages.delete(part);
        log.info({ part, seconds, failures }, 'outage ends');
      } else if (at - toldAt >= tellEveryMs) {
        outages.get(part)!.toldAt = at;
        log.warn({ part, seconds, failures, reason }, 'outage goes on');
      }
    }
  };
  const timer = setInterval(look, lookEveryMs).unref();
  const ends = [
    on('part.failed', ({ part, link, reason }) => failed(part, link, reason)),
    on('part.answered', ({ part, link }) => answered(part, link)),
    on('source.lost', ({ source, message }) => failed(brokerOf(source), source, message)),
    on('source.connected', ({ source }) => answered(brokerOf(source), source)),
  ];
  return () => {
    clearInterval(timer);
    for (const end of ends) end();
  };
}

/** JetStream is away with NATS: one part, and one line. */
function brokerOf(source: string): string {
  return source.startsWith('jetstream:') ? 'nats' : source.slice(0, source.indexOf(':'));
}
