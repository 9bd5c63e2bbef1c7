import { readFile } from 'node:fs/promises';
import { arch, cpus, loadavg, platform, release, totalmem } from 'node:os';

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

/** One figure, as `--json` prints it: docs/benchmarks.md. */
export interface Result {
  /** `<suite>/<case>` */
  readonly name: string;
  readonly unit: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** Latency within the samples; null where a case has none. */
  readonly p50_ms: number | null;
  readonly p99_ms: number | null;
  /** The load generator's own share of one core; null where it was not measured. */
  readonly load_cpu: number | null;
  readonly ratios: Readonly<Record<string, number>>;
}

/** A bar that a result has to reach. */
export interface Bar {
  readonly name: string;
  readonly what: string;
  readonly reached: number;
  readonly wanted: number;
  readonly met: boolean;
}

/** What is wanted of a figure: of its ratio to another result or to a recorded figure, or of the figure itself. */
export type Wanted =
  | { readonly against: string; readonly of: string | number; readonly atLeast?: number; readonly atMost?: number }
  | { readonly own: 'median' | 'max' | 'p50_ms' | 'p99_ms'; readonly atMost: number };

export class Results {
  readonly #results = new Map<string, Result & { ratios: Record<string, number> }>();
  readonly #bars: Bar[] = [];

  add(result: Omit<Result, 'ratios'>): void {
    this.#results.set(result.name, { ...result, ratios: {} });
  }

  get(name: string): Result | undefined {
    return this.#results.get(name);
  }

  all(): readonly Result[] {
    return [...this.#results.values()];
  }

  bars(): readonly Bar[] {
    return this.#bars;
  }

  /** Says nothing where one of the two was not measured (a peer is absent, `--quick`). */
  want(name: string, wanted: Wanted): void {
    const result = this.#results.get(name);
    if (result === undefined) return;
    if ('own' in wanted) {
      const reached = result[wanted.own];
      if (reached === null) return;
      const met = reached <= wanted.atMost;
      this.#bars.push({ name, what: `${wanted.own} at most`, reached, wanted: wanted.atMost, met });
      return;
    }
    const other = typeof wanted.of === 'number' ? wanted.of : this.#results.get(wanted.of)?.median;
    if (other === undefined || other === 0) return;
    const ratio = result.median / other;
    result.ratios[wanted.against] = Math.round(ratio * 100) / 100;
    const bar = { name, reached: ratio };
    const { against, atLeast, atMost } = wanted;
    if (atLeast !== undefined)
      this.#bars.push({ ...bar, what: `× ${against}, at least`, wanted: atLeast, met: ratio >= atLeast });
    if (atMost !== undefined)
      this.#bars.push({ ...bar, what: `× ${against}, at most`, wanted: atMost, met: ratio <= atMost });
  }
}

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memory_gib: number;
  readonly os: string;
  readonly node: string;
  /** What else ran when the bench began: figures of a busy machine are for their ratios only. */
  readonly load_average: number;
}

export function describeMachine(): Machine {
  const processors = cpus();
  return {
    cpu: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memory_gib: Math.round(totalmem() / 2 ** 30),
    os: `${platform()} ${release()} ${arch()}`,
    node: process.version,
    load_average: Math.round(loadavg()[0]! * 100) / 100,
  };
}
