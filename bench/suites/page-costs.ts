import { setTimeout as delay } from 'node:timers/promises';
import type { Bench, Sample } from '../harness/bench.ts';
import { cpuMsOf, cpuMsOfBackends } from '../harness/cpu-time.ts';
import type { KatOnStage } from '../harness/kat.ts';
import { look, type PageOn } from '../harness/page-client.ts';
import type { RotaOnStage } from '../harness/stage.ts';

/** Of one page: its streams allow no more of one token. */
export const viewers = 100;
/** What was just begun compiles still, and the one before has just ended. */
const settleMs = 3_000;

interface Window {
  /** Share of a core, in percent. */
  readonly supervisor: number;
  readonly postgres: number;
  /** A minute. */
  readonly transactions: number;
  readonly withoutPage: number;
}

type Supervisors = Readonly<Record<'withPage' | 'without', KatOnStage>>;

/**
 * Of the Overview at rest, which is looked at every two seconds: no viewer, one, a hundred, in turns, for a minute each in all. A supervisor alone takes between 2 and 5 % of a core
 * from one minute to the next, as the machine has it, and a viewer less than 1: so each figure is the median over turns of what a turn
 * took more than the one without viewers beside it.
 */
export async function costs(bench: Bench, shown: PageOn, supervisors: Supervisors): Promise<void> {
  const [rounds, ms] = bench.quick ? [4, 5_000] : [12, 5_000];
  const windows = new Map<number, Window[]>([0, 1, viewers].map((count) => [count, []]));
  for (let round = 0; round < rounds; round += 1) {
    // There and back: what a supervisor costs falls with its age.
    for (const [count, measured] of round % 2 === 0 ? windows : [...windows].toReversed()) {
      const seen = count === 0 ? null : await look(shown, '/', count);
      await delay(settleMs);
      const before = seen?.events ?? 0;
      measured.push(await windowOf(supervisors, ms));
      const updates = ((seen?.events ?? 0) - before) / Math.max(count, 1);
      // A page that is looked at less often would be cheaper for it.
      if (seen !== null)
        bench.say(`  (${count} viewers: ${Math.round((updates * 60_000) / ms)} updates a minute each)`);
      seen?.leave();
    }
  }
  const idle = windows.get(0)!;
  const samples = (of: readonly Window[], value: (window: Window) => number) =>
    of.map((window) => ({ value: value(window) }));
  bench.record('page/cpu-no-viewer', '% of a core', samples(idle, both));
  for (const [count, name, atMost] of [
    [1, '1-viewer', 1],
    [viewers, `${viewers}-viewers`, 3],
  ] as const) {
    const of = windows.get(count)!;
    const more = (value: (window: Window) => number): Sample[] =>
      of.map((window, round) => ({ value: value(window) - value(idle[round]!) }));
    for (const part of ['supervisor', 'postgres'] as const)
      bench.record(
        `page/cpu-${name}-${part}`,
        '% of a core',
        more((it) => it[part]),
      );
    bench.record(`page/cpu-${name}`, '% of a core', more(both));
    bench.want(`page/cpu-${name}`, { own: 'median', atMost });
  }
  bench.record(
    'page/transactions-1-viewer',
    'a minute',
    samples(windows.get(1)!, (it) => it.transactions),
  );
  bench.record(
    'page/transactions-no-viewer',
    'a minute',
    samples(idle, (it) => it.transactions),
  );
  bench.record(
    'page/transactions-no-page',
    'a minute',
    samples(idle, (it) => it.withoutPage),
  );
  // Both have timers of their own, which need not fall into one window.
  bench.want('page/transactions-no-viewer', { against: 'no page', of: 'page/transactions-no-page', atMost: 1.05 });
}

const both = ({ supervisor, postgres }: Window): number => supervisor + postgres;

async function windowOf({ withPage, without }: Supervisors, ms: number): Promise<Window> {
  const spent = async () =>
    Promise.all([
      cpuMsOf(withPage.rota.supervisor.pid),
      cpuMsOfBackends(withPage.rota.prefix),
      transactionsOf(withPage.rota),
      transactionsOf(without.rota),
    ]);
  const began = performance.now();
  const before = await spent();
  await delay(ms);
  const after = await spent();
  const took = performance.now() - began;
  const [supervisor, postgres, transactions, withoutPage] = after.map((value, at) => value - before[at]!);
  return {
    supervisor: (100 * supervisor!) / took,
    postgres: (100 * postgres!) / took,
    transactions: (60_000 * transactions!) / took,
    withoutPage: (60_000 * withoutPage!) / took,
  };
}

/** Committed and rolled back; each statement outside of one is one. What asks for it is one more. */
async function transactionsOf({ sql }: RotaOnStage): Promise<number> {
  const [row] = await sql<{ transactions: number }[]>`
    SELECT (xact_commit + xact_rollback)::float8 AS transactions
    FROM pg_stat_database WHERE datname = current_database()`;
  return row!.transactions;
}
