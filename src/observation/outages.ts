import { emit, on } from '../telemetry/events.ts';

/** As it is watched. */
interface Watched {
  readonly since: number;
  /** Connections that have failed and not answered since. */
  readonly open: Set<string>;
  failures: number;
  lastAt: number;
  saidAt: number;
  reason: string;
}

/**
 * An outage ends after 4 s without a failure: a read-only database, or a service that fails one organisation, answers in
 * between.
 */
const quietMs = 4_000;
const sayEveryMs = 60_000;
const checkEveryMs = 1_000;

/**
 * Makes the outage of each dependency out of its failures: one event when it begins, one a minute with the number of failures, one when it
 * ends. @returns a function that ends it.
 */
export function watchOutages(): () => void {
  const outages = new Map<string, Watched>();

  const failed = (part: string, link: string, reason: string): void => {
    const at = performance.now();
    const known = outages.get(part);
    if (known === undefined) {
      outages.set(part, { since: at, open: new Set([link]), failures: 1, lastAt: at, saidAt: at, reason });
      emit({ name: 'outage.changed', now: 'began', part, seconds: 0, failures: 1, reason });
      return;
    }
    known.open.add(link);
    Object.assign(known, { failures: known.failures + 1, lastAt: at, reason });
  };
  const answered = (part: string, link: string): void => void outages.get(part)?.open.delete(link);

  const check = (): void => {
    const at = performance.now();
    for (const [part, { since, open, failures, lastAt, saidAt, reason }] of outages) {
      const outage = { part, seconds: Math.round((at - since) / 1_000), failures, reason };
      if (open.size === 0 && at - lastAt >= quietMs) {
        outages.delete(part);
        emit({ name: 'outage.changed', now: 'ended', ...outage });
      } else if (at - saidAt >= sayEveryMs) {
        outages.get(part)!.saidAt = at;
        emit({ name: 'outage.changed', now: 'lasts', ...outage });
      }
    }
  };
  const timer = setInterval(check, checkEveryMs).unref();
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

/** JetStream is down when NATS is: one outage, one line. */
function brokerOf(source: string): string {
  return source.startsWith('jetstream:') ? 'nats' : source.slice(0, source.indexOf(':'));
}
