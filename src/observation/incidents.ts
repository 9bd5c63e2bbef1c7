import type { IncidentView } from '../protocol/operator-status.ts';
import { excerpt, oneLine } from '../printable.ts';
import { on } from '../telemetry/events.ts';

/** 60 kB at most: an answer is one message of NATS. */
const mostKept = 100;
const longestWhy = 300;

/**
 * Trouble of this supervisor since its start, and its end, for people who come later. In memory: it tells of a night, the log of a year.
 */
export class Incidents {
  readonly #now: () => number;
  readonly #kept: IncidentView[] = [];
  readonly #open = new Set<string>();
  readonly #ends: readonly (() => void)[];

  /** @param now the database's time, in epoch milliseconds */
  constructor(now: () => number) {
    this.#now = now;
    // Of an outage, the failures that led to a circuit's opening.
    const reasons = new Map<string, string>();
    this.#ends = [
      on('actor.stopped', ({ actor, message }) => {
        this.#add(`actor ${actor}`, 'stopped', message);
        // Its next thread begins with closed circuits, and says nothing of them.
        for (const about of this.#open)
          if (about.startsWith('circuit ') && about.endsWith(` of ${actor}`))
            this.#end(about, 'closed', 'its actor stopped');
      }),
      on('actor.started', ({ actor, restarts }) => {
        if (restarts > 0) this.#add(`actor ${actor}`, 'started', null);
      }),
      on('actor.gave-up', ({ actor, restarts }) =>
        this.#add(`actor ${actor}`, 'gave up', `${restarts} restarts; it is tried once a minute`),
      ),
      on('part.failed', ({ part, reason }) => void reasons.set(part, reason)),
      // Each actor's thread has a circuit of its own, which half-opens every few seconds.
      on('circuit.changed', ({ actor, service, state }) => {
        if (state === 'open') this.#begin(`circuit ${service} of ${actor}`, 'opened', reasons.get(service) ?? null);
        if (state === 'closed') this.#end(`circuit ${service} of ${actor}`, 'closed', null);
      }),
      on('source.lost', ({ source, message }) => this.#begin(`events ${source}`, 'lost', message)),
      on('source.connected', ({ source }) => this.#end(`events ${source}`, 'connected', null)),
      on('outage.changed', ({ now, part, seconds, reason }) => {
        if (now === 'began' && ownParts.has(part)) this.#begin(part, 'away', reason);
        if (now === 'ended') this.#end(part, 'back', `after ${seconds} s`);
      }),
    ];
    this.#add('supervisor', 'started', null);
  }

  /** Newest first. */
  list(): readonly IncidentView[] {
    return this.#kept.toReversed();
  }

  stop(): void {
    for (const end of this.#ends) end();
  }

  #begin(about: string, happened: IncidentView['happened'], why: string | null): void {
    if (this.#open.has(about)) return;
    this.#open.add(about);
    this.#add(about, happened, why);
  }

  #end(about: string, happened: IncidentView['happened'], why: string | null): void {
    if (this.#open.delete(about)) this.#add(about, happened, why);
  }

  #add(about: string, happened: IncidentView['happened'], why: string | null): void {
    const at = new Date(this.#now()).toISOString();
    this.#kept.push({ at, about, happened, why: why === null ? null : excerpt(oneLine(why), longestWhy) });
    if (this.#kept.length > mostKept) this.#kept.shift();
  }
}

/** A service of KAT has a circuit, a stream of events its source: their outages are said by those. */
const ownParts: ReadonlySet<string> = new Set(['database', 'nats']);
