import { setTimeout as delay } from 'node:timers/promises';
import { codeOf, errorCodes } from '../../errors.ts';
import type { RotaClient } from '../../nats/client.ts';
import type { SupervisorView } from '../../protocol/operator.ts';
import type { Progress } from '../terminal.ts';
import type { SupervisorProcess } from './supervisor-process.ts';

/** The supervisor asks every thread, and gives one that is just starting 2 s; five times that is a supervisor in trouble. */
const statusWithinMs = 10_000;

export const actorNames = ['boefje', 'normalizer', 'report'] as const;

/** Ends what can be ended, and counts what was started again: over every process that the supervisor was. */
export class Restarts {
  readonly #client: Pick<RotaClient, 'ctl'>;
  readonly #supervisor: Pick<SupervisorProcess, 'restart' | 'restarts'>;
  /** Each process counts from zero, so the highest count of each is kept: instance → actor → restarts. */
  readonly #seen = new Map<string, Map<string, number>>();

  constructor(client: Pick<RotaClient, 'ctl'>, supervisor: Pick<SupervisorProcess, 'restart' | 'restarts'>) {
    this.#client = client;
    this.#supervisor = supervisor;
  }

  /** Looks at the supervisor's own counts. */
  async look(): Promise<SupervisorView> {
    const status = await this.#client.ctl<SupervisorView>('status', {}, { timeoutMs: statusWithinMs });
    const counts = this.#seen.get(status.instance) ?? new Map<string, number>();
    for (const { name, restarts } of status.actors) counts.set(name, Math.max(counts.get(name) ?? 0, restarts));
    this.#seen.set(status.instance, counts);
    return status;
  }

  /** Ends the actor's thread; resolves when the supervisor has it running again. */
  async killActor(actor: string, signal: AbortSignal): Promise<void> {
    const before = restartsOf(await this.look(), actor);
    await this.#client.ctl('kill-actor', { actor }, { by: 'demo' });
    await this.#until((status) => isRunning(status, actor) && restartsOf(status, actor) > before, signal);
  }

  async restartSupervisor(signal: AbortSignal): Promise<void> {
    await this.look();
    await this.#supervisor.restart();
    await this.untilRunning(signal);
  }

  /** Resolves when every actor receives: the supervisor itself serves before. */
  async untilRunning(signal: AbortSignal): Promise<void> {
    await this.#until((status) => actorNames.every((actor) => isRunning(status, actor)), signal);
  }

  async #until(reached: (status: SupervisorView) => boolean, signal: AbortSignal): Promise<void> {
    // A supervisor that is only just there may not answer yet: that is not the end of a drill.
    const look = () => this.look().then(reached, (error: unknown) => retryLater(error));
    while (!(await look())) await delay(50, undefined, { signal });
  }

  counts(): Readonly<Record<string, { readonly restarts: number }>> {
    const counts: Record<string, { restarts: number }> = {};
    for (const actor of actorNames) {
      const all = [...this.#seen.values()].map((restarts) => restarts.get(actor) ?? 0);
      counts[actor] = { restarts: all.reduce((sum, one) => sum + one, 0) };
    }
    counts['supervisor'] = { restarts: this.#supervisor.restarts };
    return counts;
  }

  get total(): number {
    return Object.values(this.counts()).reduce((sum, { restarts }) => sum + restarts, 0);
  }
}

/** @throws what no patience mends. */
function retryLater(error: unknown): false {
  if (errorCodes[codeOf(error)].family === 'busy') return false;
  throw error;
}

function isRunning(status: SupervisorView, actor: string): boolean {
  return status.actors.some(({ name, phase }) => name === actor && phase === 'running');
}

function restartsOf(status: SupervisorView, actor: string): number {
  return status.actors.find(({ name }) => name === actor)?.restarts ?? 0;
}

export interface DrillOptions {
  /** Over which the events are spread. */
  readonly seconds: number;
  /** How often an actor's thread is ended. */
  readonly killActors: number;
  readonly restartSupervisor?: boolean;
}

/** Actors die one after the other at even distances over the run; the supervisor is killed in the middle. */
export async function drills(
  options: DrillOptions,
  restarts: Restarts,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const plan = Array.from({ length: options.killActors }, (_, at) => {
    const actor = actorNames[at % actorNames.length]!;
    return {
      share: (at + 1) / (options.killActors + 1),
      name: `Actor ${actor} killed`,
      act: () => restarts.killActor(actor, signal),
    };
  });
  if (options.restartSupervisor === true) {
    plan.push({ share: 0.5, name: 'Supervisor killed', act: () => restarts.restartSupervisor(signal) });
  }
  plan.sort((a, b) => a.share - b.share);
  const began = performance.now();
  for (const { share, name, act } of plan) {
    const due = began + share * options.seconds * 1_000;
    await delay(Math.max(0, due - performance.now()), undefined, { signal });
    const killed = performance.now();
    await act();
    progress.note(`${name}; it served again after ${Math.round(performance.now() - killed)} ms.`);
  }
}
