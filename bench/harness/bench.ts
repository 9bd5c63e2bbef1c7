import { median, quantile } from './statistics.ts';
import { Results, type Wanted } from './report.ts';
import { setStage, type Stage } from './stage.ts';

/** One suite: a question, or a few that need the same stage. */
export interface Suite {
  readonly name: string;
  readonly about: string;
  /** Runs where it is named, and not with all others: it takes an hour. */
  readonly alone?: true;
  run(bench: Bench): Promise<void>;
}

export interface Sample {
  /** In the case's unit. */
  readonly value: number;
  readonly latenciesMs?: Float64Array;
  /** Share of one core that the load generator took. */
  readonly loadCpu?: number;
}

export interface Case {
  /** Without the suite's name. */
  readonly name: string;
  readonly unit: string;
  /** Overrides the bench's own, for samples that are long by nature. */
  readonly repetitions?: number;
  /** Brings the stage to where a sample may begin; not measured. */
  prepare?(): Promise<void>;
  sample(): Promise<Sample>;
}

interface BenchSettings {
  readonly quick: boolean;
  /** Names of the suites that run. */
  readonly suites: readonly string[];
  /** Prints a line of progress. */
  say(text: string): void;
}

/** What a suite works with. */
export class Bench {
  readonly results = new Results();
  readonly quick: boolean;
  readonly suites: readonly string[];
  /** Of one load sample, after its warm-up. */
  readonly sampleMs: number;
  readonly warmUpMs: number;
  readonly repetitions: number;
  readonly say: (text: string) => void;
  #stage: Promise<Stage> | null = null;

  constructor({ quick, suites, say }: BenchSettings) {
    this.quick = quick;
    this.suites = suites;
    this.say = say;
    this.sampleMs = quick ? 400 : 1_500;
    this.warmUpMs = quick ? 80 : 400;
    this.repetitions = quick ? 2 : 5;
  }

  /**
   * Of a case at that depth. A queue of 10 000 is half empty after a fraction of a second: more samples instead of longer
   * ones. Three are enough where nothing but depths are compared; at 100 000 all are compared with each other.
   */
  repetitionsAt(depth: number): number {
    if (this.quick || depth <= 0) return this.repetitions;
    if (depth <= 10_000) return this.repetitions * 2;
    return depth > 100_000 ? 3 : this.repetitions;
  }

  /** Postgres and NATS, started at the first call. */
  stage(): Promise<Stage> {
    this.#stage ??= setStage({ say: this.say });
    return this.#stage;
  }

  async close(): Promise<void> {
    await (await this.#stage)?.close();
  }

  /**
   * Samples all cases once, then all of them again: other load on the machine falls on each of them alike.
   * A case with fewer repetitions has them spread over all rounds.
   */
  async measure(suite: string, cases: readonly Case[]): Promise<void> {
    const samples = new Map(cases.map((one) => [one, [] as Sample[]]));
    const rounds = Math.max(...cases.map((one) => one.repetitions ?? this.repetitions));
    for (let round = 0; round < rounds; round += 1) {
      for (const one of cases) {
        if (!isDue(round, one.repetitions ?? this.repetitions, rounds)) continue;
        await one.prepare?.();
        samples.get(one)!.push(await one.sample());
      }
    }
    for (const one of cases) this.#add(`${suite}/${one.name}`, one.unit, samples.get(one)!);
  }

  /** A figure that was not sampled in rounds. */
  record(name: string, unit: string, samples: readonly Sample[]): void {
    this.#add(name, unit, samples);
  }

  want(name: string, ...wanted: readonly Wanted[]): void {
    for (const one of wanted) this.results.want(name, one);
  }

  #add(name: string, unit: string, samples: readonly Sample[]): void {
    const values = samples.map(({ value }) => value);
    const latencies = Float64Array.from(samples.flatMap(({ latenciesMs }) => [...(latenciesMs ?? [])])).sort();
    const loads = samples.flatMap(({ loadCpu }) => (loadCpu === undefined ? [] : [loadCpu]));
    const result = {
      name,
      unit,
      median: rounded(median(values)),
      min: rounded(Math.min(...values)),
      max: rounded(Math.max(...values)),
      p50_ms: roundedOrNull(quantile(latencies, 0.5)),
      p99_ms: roundedOrNull(quantile(latencies, 0.99)),
      load_cpu: loads.length === 0 ? null : rounded(median(loads)),
    };
    this.results.add(result);
    const latency = result.p99_ms === null ? '' : `  p50 ${result.p50_ms} ms  p99 ${result.p99_ms} ms`;
    const load = result.load_cpu === null ? '' : `  load ${Math.round(result.load_cpu * 100)} %`;
    const spread = `(${result.min}–${result.max})`;
    this.say(`  ${name.padEnd(44)} ${String(result.median).padStart(9)} ${unit} ${spread}${latency}${load}`);
  }
}

/** A supervisor that has just started has compiled nothing: the first case would be slower for it. */
export async function warmUp(one: Case, samples = 3): Promise<void> {
  for (let done = 0; done < samples; done += 1) {
    await one.prepare?.();
    await one.sample();
  }
}

/** Whether the `repetitions` of a case, spread over so many rounds, have one in this. */
export function isDue(round: number, repetitions: number, rounds: number): boolean {
  return Math.floor(((round + 1) * repetitions) / rounds) > Math.floor((round * repetitions) / rounds);
}

/** Four digits are more than a figure is good for. */
function rounded(value: number): number {
  return Number(value.toPrecision(4));
}

function roundedOrNull(value: number | null): number | null {
  return value === null ? null : rounded(value);
}

/** Cases that share something which must be taken down: a supervisor, a peer's pool. */
export interface CaseSet {
  readonly cases: readonly Case[];
  close(): Promise<void>;
}

/** A depth in the name of a case: `10k`, `1m`. */
export function nameOf(depth: number): string {
  return depth >= 1_000_000 ? `${depth / 1_000_000}m` : `${depth / 1_000}k`;
}

/** How many tasks there are before a suite begins, and what the names of its cases end with. */
export interface Size {
  readonly tasks: number;
  readonly suffix: string;
}

/** Names without an ending are those of the full run's one size; `--quick` has two, and distinguishes them. */
export function sizesOf(quick: boolean, full: number): readonly Size[] {
  if (!quick) return [{ tasks: full, suffix: '' }];
  return [10_000, 100_000].map((tasks) => ({ tasks, suffix: `-${nameOf(tasks)}` }));
}
