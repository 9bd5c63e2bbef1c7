import Table from 'cli-table3';
import { type LedgerCounts, type Percentiles, percentiles } from '../../simulator/measures.ts';
import type { Inspection, TaskCounts } from './inspection.ts';
import { katActors } from './restarts.ts';

/** The last line of `rota demo --json`; docs/demo.md defines each figure. */
export interface DemoReport {
  readonly tasks: Readonly<Record<string, TaskCounts>>;
  readonly lost: number;
  readonly handed_out_twice: number;
  readonly redelivered: number;
  readonly pop_wait_ms: Percentiles;
  readonly event_to_worker_ms: Percentiles;
  readonly tasks_per_second: number;
  readonly most_at_once: number;
  readonly actors: Readonly<Record<string, { readonly restarts: number }>>;
}

export interface Findings {
  readonly inspection: Inspection;
  readonly ledger: LedgerCounts;
  readonly popWaits: readonly number[];
  readonly eventTimes: readonly number[];
  readonly actors: DemoReport['actors'];
  /** Units of one boefje. */
  readonly atOnce: { readonly most: number; readonly limit: number | null };
}

const none: TaskCounts = { queued: 0, dispatched: 0, completed: 0, failed: 0 };

export function reportOf({ inspection, ledger, popWaits, eventTimes, actors, atOnce }: Findings): DemoReport {
  const schedulers = new Set([...katActors, ...Object.keys(inspection.tasks)]);
  const tasks = Object.fromEntries([...schedulers].map((name) => [name, inspection.tasks[name] ?? none]));
  const finished = Object.values(tasks).reduce((sum, { completed, failed }) => sum + completed + failed, 0);
  return {
    tasks,
    lost: inspection.adrift + inspection.missing.length + inspection.contradicted.length,
    handed_out_twice: ledger.handedOutTwice,
    redelivered: ledger.redelivered,
    pop_wait_ms: percentiles(popWaits),
    event_to_worker_ms: percentiles(eventTimes),
    tasks_per_second: inspection.seconds === 0 ? 0 : Math.round((finished / inspection.seconds) * 10) / 10,
    most_at_once: atOnce.most,
    actors,
  };
}

/** A sentence for each fault; a good run has none. */
export function faultsOf(findings: Findings, drained: boolean): readonly string[] {
  const { inspection, ledger, atOnce } = findings;
  const faults: string[] = [];
  if (!drained) faults.push('The queue did not drain: nothing moved for too long.');
  if (inspection.adrift > 0)
    faults.push(`${inspection.adrift} accepted tasks are neither queued, leased nor finished.`);
  const [missing] = inspection.missing;
  if (missing !== undefined) {
    faults.push(`${inspection.missing.length} tasks that events asked for were never made, such as ${missing.about}.`);
  }
  const [contradicted] = inspection.contradicted;
  if (contradicted !== undefined) {
    const count = inspection.contradicted.length;
    faults.push(`${count} tasks are not in the state that workers were told, such as ${contradicted}.`);
  }
  if (ledger.handedOutTwice > 0) faults.push(`${ledger.handedOutTwice} tasks were handed out under two live leases.`);
  if (ledger.afterEnd > 0) faults.push(`${ledger.afterEnd} tasks were handed out after they had ended.`);
  if (atOnce.limit !== null && atOnce.most > atOnce.limit)
    faults.push(`${atOnce.most} units of one boefje ran at once: its limit is ${atOnce.limit}.`);
  return faults;
}

export function tablesOf(report: DemoReport): string {
  const tasks = table(['tasks', 'queued', 'dispatched', 'completed', 'failed', 'restarts of the actor']);
  for (const [name, { queued, dispatched, completed, failed }] of Object.entries(report.tasks)) {
    tasks.push([name, queued, dispatched, completed, failed, report.actors[name]?.restarts ?? 0]);
  }
  const times = table(['milliseconds', 'p50', 'p99']);
  times.push([
    'from an event to its worker',
    shown(report.event_to_worker_ms.p50),
    shown(report.event_to_worker_ms.p99),
  ]);
  times.push(['wait of a pop', shown(report.pop_wait_ms.p50), shown(report.pop_wait_ms.p99)]);
  const counts = [
    `lost ${report.lost}`,
    `handed out twice ${report.handed_out_twice}`,
    `redelivered ${report.redelivered}`,
    `supervisor restarts ${report.actors['supervisor']?.restarts ?? 0}`,
    `${report.tasks_per_second} tasks/s`,
    `of one boefje at once ${report.most_at_once}, at most`,
  ];
  return `${tasks.toString()}\n${times.toString()}\n${counts.join('  ·  ')}\n`;
}

function table(head: string[]) {
  return new Table({
    head,
    colAligns: ['left', ...head.slice(1).map(() => 'right' as const)],
    style: { head: [], border: [] },
  });
}

function shown(value: number | null): string {
  return value === null ? '–' : String(value);
}
