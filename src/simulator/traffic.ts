import { setTimeout as delay } from 'node:timers/promises';
import type { RotaClient } from '../nats/client.ts';
import {
  type EventPublisher,
  type Expected,
  expectedOfReport,
  scanProfileDeletion,
  scanProfileMutation,
} from './events.ts';
import { seeded } from './random.ts';
import { type Arrival, arrive, findObject, type World } from './world.ts';

/** Objects arrive in their order at even intervals; each organisation that has one publishes an event. */
export async function publishArrivals(
  arrivals: readonly Arrival[],
  options: {
    readonly seconds: number;
    readonly publisher: EventPublisher;
    readonly signal: AbortSignal;
    /** Called four times a second meanwhile. */
    looked?(): Promise<unknown>;
  },
): Promise<void> {
  const { seconds, publisher, signal, looked } = options;
  const began = performance.now();
  let shown = 0;
  for (const [at, arrival] of arrivals.entries()) {
    const due = began + (at / arrivals.length) * seconds * 1_000;
    while (performance.now() < due) {
      await delay(Math.min(due - performance.now(), 250), undefined, { signal });
      if (performance.now() - shown < 250) continue;
      shown = performance.now();
      await looked?.();
    }
    signal.throwIfAborted();
    arrive(arrival);
    for (const { organisation, object } of arrival) {
      await publisher.publish('scan_profile_mutations', scanProfileMutation(organisation.id, 'create', object));
    }
  }
}

/** Half of the reports get a schedule that is due now (REST), the others are pushed (NATS). */
export async function askForReports(
  client: Pick<RotaClient, 'push' | 'ctl'>,
  api: string,
  world: World,
  token?: string,
): Promise<readonly Expected[]> {
  const asked: Expected[] = [];
  for (const { id: organisation, recipes } of world.organisations.values()) {
    for (const [at, recipe] of recipes.entries()) {
      const data = { organisation_id: organisation, report_recipe_id: recipe };
      if (at % 2 === 0) {
        const body = { scheduler_id: 'report', organisation, data, deadline_at: new Date().toISOString() };
        const headers = {
          'content-type': 'application/json',
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        };
        const init = { method: 'POST', headers, body: JSON.stringify(body) };
        const response = await fetch(`${api}/schedules`, init);
        // 409: it has its schedule from an earlier run.
        if (response.status !== 201 && response.status !== 409)
          throw new Error(`POST /schedules answered ${response.status}`);
      } else await client.push('report', [{ organisation, data, priority: 1 }]);
      asked.push(expectedOfReport(organisation, recipe));
    }
  }
  // Due schedules are claimed once a minute; an operator's command does it now.
  await client.ctl('reschedule', { actor: 'report' }, { by: 'demo' });
  return asked;
}

/** Beside those of the beginning: the oldest that was found leaves, so that a KAT may run for days. */
const mostFound = 1_000;

/** What goes on in a KAT all day: objects are found, old ones leave, and people ask for reports. */
export class Traffic {
  readonly #world: World;
  readonly #seed: number;
  /** How many were found so far; each number is one object of one organisation. */
  #found: number;

  /** `found`: of an earlier run, whose objects are there again. */
  constructor(world: World, options: { readonly seed: number; readonly found: number }) {
    this.#world = world;
    this.#seed = options.seed;
    this.#found = options.found;
    for (let number = Math.max(0, this.#found - mostFound); number < this.#found; number += 1) arrive(this.#at(number));
  }

  get found(): number {
    return this.#found;
  }

  /** The next object is found, and the oldest leaves. Should publishing fail, it is found again at the next call. */
  async find(publisher: EventPublisher): Promise<void> {
    const arrival = this.#at(this.#found);
    arrive(arrival);
    for (const { organisation, object } of arrival) {
      await publisher.publish('scan_profile_mutations', scanProfileMutation(organisation.id, 'create', object));
    }
    if (this.#found >= mostFound) {
      for (const { organisation, object } of this.#at(this.#found - mostFound)) {
        organisation.objects.delete(object.reference);
        await publisher.publish('scan_profile_mutations', scanProfileDeletion(organisation.id, object.reference));
      }
    }
    // Last: what could not be published is published again.
    this.#found += 1;
  }

  /** A person asks for a report that the organisation has a recipe for. */
  async ask(client: Pick<RotaClient, 'push'>, number: number): Promise<void> {
    const organisations = [...this.#world.organisations.values()];
    const { id: organisation, recipes } = organisations[number % organisations.length]!;
    const recipe = recipes[Math.floor(number / organisations.length) % recipes.length]!;
    // As a set: that the same report is queued already is an answer, and no error.
    await client.push('report', [
      { organisation, data: { organisation_id: organisation, report_recipe_id: recipe }, priority: 1 },
    ]);
  }

  #at(number: number): Arrival {
    return findObject(this.#world, number, seeded(this.#seed + number));
  }
}
