import { Actor } from './actor.ts';
import { rows } from './all.ts';
import type { Hostile, Played } from './play.ts';

/** Plays one row against a supervisor, in the process that `play` starts. */
const { name, target, leastMs } = JSON.parse(process.argv[2]!) as Hostile;
const row = rows.find((it) => it.name === name)!;
const actor = await Actor.connect(target);
const found: (string | undefined)[] = [];
const began = performance.now();
do found.push(...(await row.play(actor).catch((error: unknown) => [`the row itself failed: ${String(error)}`])));
while (row.once !== true && performance.now() - began < leastMs);
await actor.close();
process.send!({
  faults: found.filter((fault) => fault !== undefined),
  seconds: (performance.now() - began) / 1_000,
} satisfies Played);
