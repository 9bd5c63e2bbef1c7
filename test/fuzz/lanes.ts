import * as fc from 'fast-check';
import type { Supervisor } from '../drill/supervisor.ts';
import { Alone } from './alone.ts';
import { type Edge, type EdgeName, type Outcome, shortened } from './edge.ts';

/** An input that Rota must not have answered so, or at all. */
export interface Failure {
  readonly edge: EdgeName;
  readonly fault: string;
  /** Shrunk, where it failed alone too. */
  readonly input: string;
  /** Inputs of this kind that failed. */
  times: number;
  /** Makes the same inputs again. */
  readonly replay: string;
}

export interface Tally {
  readonly edge: EdgeName;
  requests: number;
  answered: number;
  refused: number;
  unawaited: number;
  slowestMs: number;
}

interface Played {
  readonly tallies: readonly Tally[];
  readonly failures: readonly Failure[];
}

interface Part {
  readonly edge: Edge;
  readonly requests: number;
  readonly lanes: number;
}

/** The longest that a failing input is shrunk: one that is not answered takes 14 s a step. */
const shrinkMs = 60_000;

/** Plays every part at once, each in lanes of its own seed; goes on after a failure, and reports each kind once. */
export async function playLanes(
  parts: readonly Part[],
  options: { readonly seed: number; readonly supervisor: Supervisor; told(failure: Failure): void },
): Promise<Played> {
  const { seed, supervisor, told } = options;
  const turn = new Alone();
  const tallies: Tally[] = [];
  const failures = new Map<string, Failure>();

  await Promise.all(
    parts.flatMap(({ edge, requests, lanes }) => {
      const tally = { edge: edge.name, requests: 0, answered: 0, refused: 0, unawaited: 0, slowestMs: 0 };
      tallies.push(tally);
      const each = Math.ceil(requests / lanes);
      return Array.from({ length: lanes }, (_, lane) => play(edge, tally, each, seed + lane));
    }),
  );
  return { tallies, failures: [...failures.values()] };

  async function play(edge: Edge, tally: Tally, requests: number, laneSeed: number): Promise<void> {
    let left = requests;
    for (let round = 0; left > 0; round += 1) {
      const roundSeed = laneSeed + round * 1_000;
      let shrinking: string | null = null;
      let first = false;
      let shrinkUntil = 0;
      const property = fc.asyncProperty(edge.inputs, async (input) => {
        if (shrinking !== null) {
          if (!first) return;
          // What takes too long to shrink is reported as it is.
          if (performance.now() > shrinkUntil) return;
          const again = await once(edge, input, true);
          if (kindOf(edge, again.fault) === shrinking) throw new Error(again.fault);
          return;
        }
        left -= 1;
        const outcome = await once(edge, input, false);
        count(tally, outcome);
        if (outcome.fault === undefined) return;
        const known = failures.get(kindOf(edge, outcome.fault));
        if (known !== undefined) {
          known.times += 1;
          return;
        }
        const again = await once(edge, input, true);
        if (again.fault === undefined) {
          note(edge, { fault: `${outcome.fault}, among others only`, input, seed: roundSeed });
          return;
        }
        shrinking = kindOf(edge, again.fault);
        first = !failures.has(shrinking);
        // Another lane shrinks one of its kind already.
        if (!first) throw new Error(again.fault);
        note(edge, { fault: again.fault, input, seed: roundSeed });
        shrinkUntil = performance.now() + shrinkMs;
        throw new Error(again.fault);
      });
      const result = await fc.check(property, { seed: roundSeed, numRuns: left, maxSkipsPerRun: 1_000 });
      if (!result.failed) return;
      const known = shrinking === null ? undefined : failures.get(shrinking);
      if (known === undefined) throw result.errorInstance;
      if (!first) continue;
      const smallest = result.counterexample?.[0];
      if (smallest !== undefined) failures.set(shrinking!, { ...known, input: edge.show(smallest) });
      told(failures.get(shrinking!)!);
    }
  }

  async function once(edge: Edge, input: unknown, alone: boolean): Promise<Outcome> {
    const work = async (): Promise<Outcome> => {
      const pid = supervisor.pid;
      const outcome = await edge.send(input);
      if (!supervisor.ended() && supervisor.pid === pid) return outcome;
      if (!alone) return { ...outcome, fault: 'the supervisor ended' };
      await revive();
      return { ...outcome, fault: 'the supervisor ended' };
    };
    if (!alone) return turn.among(work);
    return turn.alone(async () => {
      await revive();
      return work();
    });
  }

  async function revive(): Promise<void> {
    if (!supervisor.ended()) return;
    supervisor.spawn();
    await supervisor.ready();
  }

  function note(edge: Edge, found: { fault: string; input: unknown; seed: number }): void {
    const kind = kindOf(edge, found.fault);
    const known = failures.get(kind);
    if (known !== undefined) known.times += 1;
    else {
      const replay = `--only ${edge.name} --seed ${found.seed}`;
      failures.set(kind, { edge: edge.name, fault: found.fault, input: edge.show(found.input), times: 1, replay });
    }
  }
}

/** Faults that read the same but for their numbers and ids are one. */
function kindOf(edge: Edge, fault: string | undefined): string {
  return `${edge.name}: ${shortened(fault ?? '', 200).replaceAll(/[0-9a-f-]{36}|\d{4,}/g, '#')}`;
}

function count(tally: Tally, { outcome, ms, fault }: Outcome): void {
  tally.requests += 1;
  if (fault === undefined) tally[outcome] += 1;
  tally.slowestMs = Math.max(tally.slowestMs, ms);
}
