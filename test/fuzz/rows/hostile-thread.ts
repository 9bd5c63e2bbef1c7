import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { Actor } from './actor.ts';
import { rows } from './all.ts';
import type { Hostile, Played } from './play.ts';

/**
 * Plays one row against a supervisor. It gets only the processor time that nothing else wants (on Linux a priority is a thread's):
 * a hostile client has a machine of its own, and what it spends on making its input is not time that the supervisor takes.
 */
setPriority(0, 19);

const { name, target, leastMs } = workerData as Hostile;
const row = rows.find((it) => it.name === name)!;
const actor = await Actor.connect(target);
const found: (string | undefined)[] = [];
const began = performance.now();
do found.push(...(await row.play(actor).catch((error: unknown) => [`the row itself failed: ${String(error)}`])));
while (row.once !== true && performance.now() - began < leastMs);
await actor.close();
parentPort!.postMessage({
  faults: found.filter((fault) => fault !== undefined),
  seconds: (performance.now() - began) / 1_000,
} satisfies Played);
