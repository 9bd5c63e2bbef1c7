import { readFile } from 'node:fs/promises';
import type { Machine } from './machine.ts';
import type { Bar, Result } from './results.ts';

/** What `--json` prints as its last line: docs/benchmarks.md. */
export interface Report {
  readonly machine: Machine;
  readonly results: readonly Result[];
  readonly bars: readonly Bar[];
}

/**
 * Of a file that holds the report alone, or all that a run printed.
 * @throws where neither is there.
 */
export async function readReport(path: string): Promise<Report> {
  const text = (await readFile(path, 'utf8')).trimEnd();
  const report = parsed(text) ?? parsed(text.split('\n').at(-1)!);
  if (report === null) throw new Error(`${path}: expected the JSON line that a run with --json ends with`);
  return { machine: report.machine, results: report.results, bars: report.bars ?? [] };
}

function parsed(text: string): (Omit<Report, 'bars'> & Partial<Report>) | null {
  try {
    const report = JSON.parse(text) as Partial<Report> | null;
    const whole = report?.machine !== undefined && Array.isArray(report.results);
    return whole ? (report as Report) : null;
  } catch {
    return null;
  }
}
