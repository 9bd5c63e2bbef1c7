import type { IncidentView } from '../protocol/operator-status.ts';
import { excerpt, oneLine } from '../printable.ts';
import { on } from '../telemetry/events.ts';
import { chance } from '../time-and-chance.ts';

/** In memory, 60 kB: an answer is one message of NATS. */
const mostRemembered = 100;
const longestWhy = 300;
/** What goes on and off all day does not drown the rest of a month: 30 beginnings an hour of each. */
const mostAnHour = 30;
const hourMs = 3_600_000;

interface IncidentsOptions {
  readonly instance: string;
  /** The database's time, in epoch milliseconds. */
  readonly now: () => number;
  /** Never waits. */
  readonly keep: (incident: IncidentView) => void;
}

/** Trouble of this supervisor, and its end, for people who come later: kept for a month, and in memory for while the database is away. */
export class Incidents {
  readonly #options: IncidentsOptions;
  readonly #recent: IncidentView[] = [];
  /** Beginnings by what they are about, in the hour since `at`. */
  readonly #counted = new Map<string, { readonly at: number; count: number }>();
  readonly #open = new Set<string>();
  readonly #ends: readonly (() => void)[];

  constructor(options: IncidentsOptions) {
    this.#options = options;
    // Of an outage, the failures that led to a circuit's opening.
    const reasons = new Map<string, string>();
    this.#ends = [
      on('actor.stopped', ({ actor, code, message }) => {
        // An operator asked for it, and the audit has that, or the supervisor ends.
        if (code !== 'STOPPED') this.#begin(`actor ${actor}`, 'stopped', message);
        // Its next thread begins with closed circuits, and says nothing of them.
        for (const about of this.#open)
          if (about.startsWith('circuit ') && about.endsWith(` of ${actor}`))
            this.#end(about, 'closed', 'its actor stopped');
      }),
      on('actor.started', ({ actor, restarts }) => {
        if (restarts > 0) this.#end(`actor ${actor}`, 'started', null);
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

  /** Those of this supervisor since its start, newest first. */
  list(): readonly IncidentView[] {
    return this.#recent.toReversed();
  }

  /** Another supervisor ended without a word. `seenAt`: ISO */
  vanished(instance: string, seenAt: string): void {
    this.#add('supervisor', 'vanished', `last seen at ${seenAt}`, instance);
  }

  /** Ends with that of the supervisor. */
  stop(): void {
    for (const end of this.#ends) end();
    this.#add('supervisor', 'ended', null);
  }

  /** Its end is told of only where its beginning was. */
  #begin(about: string, happened: IncidentView['happened'], why: string | null): void {
    if (this.#open.has(about)) return;
    const count = this.#countOf(about);
    if (count > mostAnHour) return;
    this.#open.add(about);
    const more = count === mostAnHour ? 'no more of it is kept within an hour; the log has all' : null;
    this.#add(about, happened, more === null ? why : why === null ? more : `${more}: ${why}`);
  }

  #end(about: string, happened: IncidentView['happened'], why: string | null): void {
    if (this.#open.delete(about)) this.#add(about, happened, why);
  }

  /** Beginnings within an hour, this one included. */
  #countOf(about: string): number {
    const now = this.#options.now();
    const known = this.#counted.get(about);
    const counted = known !== undefined && now - known.at < hourMs ? known : { at: now, count: 0 };
    counted.count += 1;
    this.#counted.set(about, counted);
    return counted.count;
  }

  /** Within one millisecond ids come in any order, and an actor's stop must not stand behind its circuit's end. */
  #idAfterTheLast(): string {
    const last = this.#recent.at(-1)?.id ?? '';
    let id = chance.timeOrderedUuid();
    for (let tries = 0; id < last && tries < 100; tries += 1) id = chance.timeOrderedUuid();
    return id;
  }

  #add(about: string, happened: IncidentView['happened'], why: string | null, of = this.#options.instance): void {
    const incident = {
      id: this.#idAfterTheLast(),
      at: new Date(this.#options.now()).toISOString(),
      instance: of,
      about,
      happened,
      why: why === null ? null : excerpt(oneLine(why), longestWhy),
    };
    this.#options.keep(incident);
    this.#recent.push(incident);
    if (this.#recent.length > mostRemembered) this.#recent.shift();
  }
}

/** A service of KAT has a circuit, a stream of events its source: their outages are said by those. */
const ownParts: ReadonlySet<string> = new Set(['database', 'nats']);
