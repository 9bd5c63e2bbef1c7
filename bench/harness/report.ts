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
 * Of a file that holds the line alone, or all that a run printed.
 * @throws where its last line is none.
 */
export async function readReport(path: string): Promise<Report> {
  const text = await readFile(path, 'utf8');
  const last = text.trimEnd().split('\n').at(-1) ?? '';
  try {
    const report = JSON.parse(last) as Partial<Report>;
    if (report.machine !== undefined && Array.isArray(report.results)) {
      return { machine: report.machine, results: report.results, bars: report.bars ?? [] };
    }
  } catch {
    // Told below, with what was expected.
  }
  throw new Error(`${path}: expected the JSON line that a run with --json ends with`);
}
