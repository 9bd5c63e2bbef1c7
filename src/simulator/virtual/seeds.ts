import { createHash } from 'node:crypto';
import type { Violation } from './journal.ts';
import { simulate, type SimulationOptions, type SimulationReport } from './simulation.ts';

/** The same simulation with several seeds, as one report: tasks and decisions are added up, waits are the longest of any. */
export async function simulateSeeds(
  options: SimulationOptions,
  seeds: number,
  told: (seed: number, report: SimulationReport) => void,
): Promise<SimulationReport> {
  const reports: SimulationReport[] = [];
  for (let seed = options.seed; seed < options.seed + seeds; seed += 1) {
    const report = await simulate({ ...options, seed });
    told(seed, report);
    reports.push(report);
  }
  return reports.length === 1 ? reports[0]! : joined(reports);
}

function joined(reports: readonly SimulationReport[]): SimulationReport {
  const digest = createHash('sha256');
  const violations: Violation[] = [];
  const tasks: Record<string, Record<string, number>> = {};
  const waits: Record<string, { p50: number; p99: number; most: number }> = {};
  for (const report of reports) {
    digest.update(report.digest);
    violations.push(...report.violations);
    for (const [scheduler, counts] of Object.entries(report.tasks)) {
      const sums = (tasks[scheduler] ??= {});
      for (const [what, count] of Object.entries(counts)) sums[what] = (sums[what] ?? 0) + count;
    }
    for (const [scheduler, { p50, p99, most }] of Object.entries(report.waits)) {
      const longest = (waits[scheduler] ??= { p50: 0, p99: 0, most: 0 });
      longest.p50 = Math.max(longest.p50, p50);
      longest.p99 = Math.max(longest.p99, p99);
      longest.most = Math.max(longest.most, most);
    }
  }
  const sum = (of: (report: SimulationReport) => number) => reports.reduce((all, report) => all + of(report), 0);
  return {
    digest: digest.digest('hex'),
    decisions: sum(({ decisions }) => decisions),
    violations,
    tasks,
    waits,
    virtual_days: sum((report) => report.virtual_days),
    seconds: Math.round(sum(({ seconds }) => seconds) * 1_000) / 1_000,
  };
}
