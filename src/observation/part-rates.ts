import type { PartRate } from '../protocol/operator-status.ts';
import type { QueuePart } from '../tasks/task.ts';
import { type EventOf, on } from '../telemetry/events.ts';

const bucketSeconds = 10;
const buckets = 60;
/** Names of one scheduler and kind that are told apart: 480 bytes each. Clients name plug-ins as they like. */
const mostNames = 1_000;
/** Of an answer, which is one message of NATS with the names of all schedulers. */
const mostAnswered = 200;

/** By bucket: the tasks handed out and those that failed. */
interface Tallies {
  readonly dispatched: Uint32Array;
  readonly failed: Uint32Array;
  /** Bucket of the last increment, since the start. */
  at: number;
}

type Kind = Exclude<QueuePart, 'image'>;

/**
 * What this supervisor handed out and what failed through it, by scheduler and organisation or boefje (normalizer, recipe), over the
 * last ten minutes. In memory: the database keeps no such rates, and an increment a task costs less than a row.
 */
export class PartRates {
  readonly #parts: Readonly<Record<Kind, Map<string, Map<string, Tallies>>>> = {
    organisation: new Map(),
    boefje: new Map(),
  };
  readonly #started = performance.now();
  #bucket = 0;
  readonly #ends: readonly (() => void)[] = [
    on('claim.completed', (claim) => this.#claimed(claim)),
    on('tasks.changed', (changed) => this.#changed(changed)),
  ];

  /** Of one scheduler, those with the most tasks first, and last all others together, under ''. */
  of(scheduler: string, kind: Kind): readonly PartRate[] {
    this.#turn();
    const seconds = Math.min(buckets * bucketSeconds, Math.max(1, (performance.now() - this.#started) / 1_000));
    const all = [...(this.#parts[kind].get(scheduler) ?? [])]
      .map(([name, tallies]) => ({ name, dispatched: sum(tallies.dispatched), failed: sum(tallies.failed) }))
      .filter((it) => it.dispatched + it.failed > 0)
      .toSorted((a, b) => Number(a.name === '') - Number(b.name === '') || busy(b) - busy(a));
    const rest = all.splice(mostAnswered);
    if (rest.length > 0) {
      const total = (key: 'dispatched' | 'failed') => rest.reduce((so, it) => so + it[key], 0);
      all.push({ name: '', dispatched: total('dispatched'), failed: total('failed') });
    }
    return all.map(({ name, dispatched, failed }) => ({ scheduler, name, per_second: dispatched / seconds, failed }));
  }

  stop(): void {
    for (const end of this.#ends) end();
  }

  #claimed({ scheduler, organisations, plugins }: EventOf<'claim.completed'>): void {
    if (organisations.length === 0) return;
    this.#turn();
    const [byOrganisation, byBoefje] = [this.#of('organisation', scheduler), this.#of('boefje', scheduler)];
    const slot = this.#bucket % buckets;
    for (const [at, organisation] of organisations.entries()) {
      this.#tallies(byOrganisation, organisation).dispatched[slot]! += 1;
      const plugin = plugins[at]!;
      if (plugin !== '') this.#tallies(byBoefje, plugin).dispatched[slot]! += 1;
    }
  }

  #changed({ scheduler, status, ended = [] }: EventOf<'tasks.changed'>): void {
    if (status !== 'failed') return;
    this.#turn();
    const slot = this.#bucket % buckets;
    for (const { organisation, plugin } of ended) {
      this.#tallies(this.#of('organisation', scheduler), organisation).failed[slot]! += 1;
      if (plugin !== null) this.#tallies(this.#of('boefje', scheduler), plugin).failed[slot]! += 1;
    }
  }

  #of(kind: Kind, scheduler: string): Map<string, Tallies> {
    const known = this.#parts[kind].get(scheduler);
    if (known !== undefined) return known;
    const made = new Map<string, Tallies>();
    this.#parts[kind].set(scheduler, made);
    return made;
  }

  #tallies(of: Map<string, Tallies>, name: string): Tallies {
    const known = of.get(name);
    if (known !== undefined) {
      known.at = this.#bucket;
      return known;
    }
    // All beyond the bound are one, which no name can be: edges refuse an empty one.
    if (name !== '' && of.size >= mostNames) return this.#tallies(of, '');
    const made = { dispatched: new Uint32Array(buckets), failed: new Uint32Array(buckets), at: this.#bucket };
    of.set(name, made);
    return made;
  }

  /** Empties the buckets that have begun since, and forgets names that have none left. */
  #turn(): void {
    const bucket = Math.floor((performance.now() - this.#started) / 1_000 / bucketSeconds);
    if (bucket === this.#bucket) return;
    const passed = Math.min(bucket - this.#bucket, buckets);
    const slots = Array.from({ length: passed }, (_none, n) => (bucket - n) % buckets);
    this.#bucket = bucket;
    for (const schedulers of Object.values(this.#parts))
      for (const names of schedulers.values())
        for (const [name, tallies] of names) {
          if (tallies.at <= bucket - buckets) names.delete(name);
          for (const slot of slots) tallies.dispatched[slot] = tallies.failed[slot] = 0;
        }
  }
}

function busy({ dispatched, failed }: { readonly dispatched: number; readonly failed: number }): number {
  return dispatched + failed;
}

function sum(counts: Uint32Array): number {
  return counts.reduce((total, count) => total + count, 0);
}
