import Table from 'cli-table3';
import type { RandomRun } from './random.ts';
import type { RowFinding } from './rows/play.ts';

export function tableOf(runs: readonly RandomRun[]): string {
  const head = ['edge', 'requests', 'answered', 'refused', 'not awaited', 'slowest', 'failures'];
  const table = new Table({ head, style: { head: [], border: [], compact: true } });
  for (const { tallies, failures } of runs) {
    for (const tally of tallies) {
      const failed = failures.filter(({ edge }) => edge === tally.edge).reduce((sum, { times }) => sum + times, 0);
      const { edge, requests, answered, refused, unawaited, slowestMs } = tally;
      table.push([edge, requests, answered, refused, unawaited, `${Math.round(slowestMs)} ms`, failed].map(String));
    }
  }
  return table.toString();
}

export function sentencesOf(run: RandomRun): readonly string[] {
  const { quiet, during, memory, seconds, failures, faults, beyond } = run;
  return [
    `${seconds.toFixed(0)} s; pops of another client: p99 ${ms(quiet.p99)} quiet, ${ms(during.p99)} meanwhile, slowest ${ms(during.slowest)}; memory ${memory.before.toFixed(0)} → ${memory.after.toFixed(0)} MiB`,
    ...failures.map(
      ({ edge, fault, times, input, replay }) =>
        `${edge}: ${fault} (${times} times)\n    ${input}\n    make fuzz ARGS="${replay}"`,
    ),
    ...faults,
    ...beyond,
  ];
}

const ms = (value: number) => `${value.toFixed(1)} ms`;

export function held(runs: readonly RandomRun[]): boolean {
  return runs.every(({ failures, faults, beyond }) => failures.length + faults.length + beyond.length === 0);
}

export function rowTableOf(findings: readonly RowFinding[]): string {
  const head = ['row', 'verdict', 'seconds', 'quiet p99', 'p99', 'times', 'stall', 'memory MiB'];
  const table = new Table({ head, style: { head: [], border: [], compact: true } });
  for (const { row, faults, seconds, quiet, during, stallMs, memory } of findings) {
    const times = quiet.p99 === 0 ? '' : (during.p99 / quiet.p99).toFixed(1);
    const [before, most, after] = [memory.before, memory.most, memory.after].map((it) => it.toFixed(0));
    const verdict = faults.length === 0 ? 'held' : 'broke';
    table.push([
      row,
      verdict,
      seconds.toFixed(0),
      ms(quiet.p99),
      ms(during.p99),
      times,
      stallMs === null ? '' : ms(stallMs),
      `${before} → ${most} → ${after}`,
    ]);
  }
  return table.toString();
}
