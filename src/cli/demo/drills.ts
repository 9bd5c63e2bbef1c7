import { setTimeout as delay } from 'node:timers/promises';
import type { DemoOptions } from './options.ts';
import type { Progress } from './progress.ts';
import { actorNames, type Restarts } from './restarts.ts';

/** Actors die one after the other at even distances over the run; the supervisor is killed in the middle. */
export async function drills(
  options: Pick<DemoOptions, 'seconds' | 'killActors' | 'restartSupervisor'>,
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
