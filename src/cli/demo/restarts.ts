import { setTimeout as delay } from 'node:timers/promises';
import { codeOf, errorCodes } from '../../errors.ts';
import type { RotaClient } from '../../nats/client.ts';
import type { SupervisorView } from '../../protocol/operator-status.ts';
import type { Progress } from '../terminal.ts';
import type { SupervisorProcess } from './supervisor-process.ts';

/** `status` waits up to 2 s for a thread that is starting; a supervisor that takes five times that is in trouble. */
const statusWithinMs = 10_000;

/** KAT's own; `actors/` may have more. */
export const katActors: readonly string[] = ['boefje', 'normalizer', 'report'];

/** Kills actors and the supervisor, and counts restarts over all processes of the supervisor. */
export class Restarts {
  readonly #client: Pick<RotaClient, 'ctl'>;
  readonly #supervisor: Pick<SupervisorProcess, 'restart' | 'restarts'>;
  /** The highest count of each process, which counts from zero: instance → actor → restarts. */
  readonly #seen = new Map<string, Map<string, number>>();

  constructor(client: Pick<RotaClient, 'ctl'>, supervisor: Pick<SupervisorProcess, 'restart' | 'restarts'>) {
    this.#client = client;
    this.#supervisor = supervisor;
  }

  /** Reads the supervisor's own counts. */
  async look(): Promise<SupervisorView> {
    const status = await this.#client.ctl<SupervisorView>('status', {}, { timeoutMs: statusWithinMs });
    const counts = this.#seen.get(status.instance) ?? new Map<string, number>();
    for (const { name, restarts } of status.actors) counts.set(name, Math.max(counts.get(name) ?? 0, restarts));
    this.#seen.set(status.instance, counts);
    return status;
  }

  /** Ends the actor's thread; resolves when the actor runs again. */
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

  /** Resolves when every actor receives; the supervisor serves earlier. */
  async untilRunning(signal: AbortSignal): Promise<void> {
    await this.#until(({ actors }) => actors.length > 0 && actors.every(({ phase }) => phase === 'running'), signal);
  }

  async #until(reached: (status: SupervisorView) => boolean, signal: AbortSignal): Promise<void> {
    // A supervisor that has just started may not answer yet.
    const look = () => this.look().then(reached, (error: unknown) => retryLater(error));
    while (!(await look())) await delay(50, undefined, { signal });
  }

  /** KAT's own first. */
  get actors(): readonly string[] {
    const seen = [...this.#seen.values()].flatMap((restarts) => [...restarts.keys()]);
    return [...new Set([...katActors, ...seen])];
  }

  counts(): Readonly<Record<string, { readonly restarts: number }>> {
    const counts: Record<string, { restarts: number }> = {};
    for (const actor of this.actors) {
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

/** @throws an error that waiting does not mend. */
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

/** Kills actors at even intervals over the run, and the supervisor in its middle. */
export async function drills(
  options: DrillOptions,
  restarts: Restarts,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const plan = Array.from({ length: options.killActors }, (_, at) => {
    const actor = katActors[at % katActors.length]!;
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
