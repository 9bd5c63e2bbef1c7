import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ThreadStatus } from './thread-control.ts';
import { RotaError } from '../errors.ts';
import { type Result, mailboxFailure } from '../mailbox/failure.ts';
import type { Outcome } from '../mailbox/ref.ts';
import type { SupervisorCommand } from '../protocol/commands.ts';
import type { LogLevel } from '../protocol/operator-status.ts';
import type { Catalog } from './catalog.ts';
import type { ActorBackend } from './requests.ts';
import {
  defaultPings,
  defaultRestartPolicy,
  SupervisedActor,
  type Supervising,
  systemTimers,
} from './supervised-actor.ts';
import type { ActorStatus, Supervision } from './supervision.ts';
import type { ThreadSettings } from './thread-data.ts';
import { chance } from '../time-and-chance.ts';

export interface SupervisorOptions {
  readonly catalog: Catalog;
  readonly settings: ThreadSettings;
  readonly backend: ActorBackend;
  readonly supervising?: Partial<Supervising>;
  /** Per thread. An actor that needs more ends with ERR_WORKER_OUT_OF_MEMORY, alone. */
  readonly maxHeapMb?: number;
}

const inspectWithinMs = 2_000;
const restartWithinMs = 5_000;
/** Half a gigabyte, the most a thread may have, takes some ten seconds. */
const snapshotWithinMs = 60_000;

/** Runs every actor of the catalog, each in its own thread and independent of the others. */
export class Supervisor implements Supervision {
  readonly #actors: ReadonlyMap<string, SupervisedActor>;

  constructor(options: SupervisorOptions) {
    const supervising: Supervising = {
      ...defaultPings,
      policy: defaultRestartPolicy,
      timers: systemTimers,
      random: chance.random,
      ...options.supervising,
    };
    const { catalog, settings, backend, maxHeapMb = 512 } = options;
    this.#actors = new Map(
      catalog.actors.map(({ name, behavior }) => [
        name,
        new SupervisedActor({ actor: name, host: catalog.host, behavior, settings, backend, maxHeapMb }, supervising),
      ]),
    );
  }

  /** Starts every actor; event `actor.started` says when each receives. One that cannot start delays no other. */
  start(): void {
    for (const actor of this.#actors.values()) actor.start();
  }

  status(): readonly ActorStatus[] {
    return [...this.#actors.values()].map((actor) => actor.status());
  }

  async inspect(name: string): Promise<Outcome<ThreadStatus>> {
    const thread = this.#actor(name).thread;
    return thread === null ? { outcome: 'terminated' } : thread.control.status(inspectWithinMs);
  }

  async setLogLevel(name: string, level: LogLevel): Promise<Outcome<void>> {
    const thread = this.#actor(name).thread;
    return thread === null ? { outcome: 'terminated' } : thread.control.setLogLevel(level, inspectWithinMs);
  }

  async writeHeapSnapshot(name: string): Promise<Outcome<string>> {
    const thread = this.#actor(name).thread;
    if (thread === null) return { outcome: 'terminated' };
    const file = join(tmpdir(), `rota-${name}-${chance.uuid()}.heapsnapshot`);
    return thread.control.writeHeapSnapshot(file, snapshotWithinMs);
  }

  async ask<T>(name: string, command: SupervisorCommand, withinMs: number): Promise<Outcome<T>> {
    const thread = this.#actor(name).thread;
    return thread === null ? { outcome: 'terminated' } : thread.inbox.ask<T>(command, { withinMs });
  }

  async send(name: string, command: SupervisorCommand): Promise<Result<undefined>> {
    const actor = this.#actor(name);
    if (actor.thread !== null) return actor.thread.inbox.tell(command);
    return { ok: false, failure: mailboxFailure('ACTOR_TERMINATED', `${name} is ${actor.status().phase}`) };
  }

  async restart(name: string): Promise<void> {
    await this.#actor(name).restart(restartWithinMs);
  }

  async kill(name: string): Promise<void> {
    await this.#actor(name).thread?.end({ code: 'KILLED', message: 'killed by an operator', retryable: false });
  }

  /**
   * Event sources stop, mailboxes empty, actors end, and their requests are answered: each within `withinMs`. The caller
   * drains queue and edges afterwards.
   */
  async drain(withinMs: number): Promise<void> {
    await Promise.all([...this.#actors.values()].map((actor) => actor.drain(withinMs)));
  }

  /** Ends every thread at once. */
  async terminate(): Promise<void> {
    await Promise.all([...this.#actors.values()].map((actor) => actor.terminate()));
  }

  #actor(name: string): SupervisedActor {
    const actor = this.#actors.get(name);
    if (actor !== undefined) return actor;
    const known = [...this.#actors.keys()];
    throw new RotaError('NOT_FOUND', `no actor '${name}': there is ${known.join(', ') || 'none'}`, {
      fields: { known },
    });
  }
}
