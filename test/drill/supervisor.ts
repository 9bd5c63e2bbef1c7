import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const launcher = fileURLToPath(new URL('../../src/launch.sh', import.meta.url));
const clockShift = fileURLToPath(new URL('clock-shift.ts', import.meta.url));
const startWithinMs = 120_000;

export interface LogLine {
  readonly level: string;
  readonly event: string;
  readonly exception?: string;
  readonly [field: string]: unknown;
}

/** `rota start` as a process of its own, which can be killed, frozen and started again at the same address. */
export class Supervisor {
  readonly number: number;
  readonly api: string;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #log: string;
  #child: ChildProcess | null = null;
  #read = 0;

  constructor(options: {
    number: number;
    port: number;
    /** File that its standard error goes to. */
    log: string;
    environment: Readonly<Record<string, string>>;
  }) {
    this.number = options.number;
    this.api = `http://127.0.0.1:${options.port}`;
    this.#log = options.log;
    this.#environment = {
      PATH: process.env['PATH'] ?? '',
      SCHEDULER_API_HOST: '127.0.0.1',
      SCHEDULER_API_PORT: String(options.port),
      SCHEDULER_LOGGING_FORMAT: 'json',
      ...options.environment,
    };
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Spawns it. `clockShiftMs`: its clock runs so far ahead. */
  spawn(options: { clockShiftMs?: number; environment?: Readonly<Record<string, string>> } = {}): void {
    const { clockShiftMs, environment = {} } = options;
    const shifted =
      clockShiftMs === undefined
        ? {}
        : { NODE_OPTIONS: `--import=${clockShift}`, DRILL_CLOCK_SHIFT_MS: String(clockShiftMs) };
    const log = openSync(this.#log, 'a');
    const env = { ...this.#environment, ...shifted, ...environment };
    this.#child = spawn(launcher, ['start'], { detached: true, stdio: ['ignore', log, log], env });
    this.#child.once('error', () => {});
    const { pid } = this.#child;
    const endWithUs = () => pid !== undefined && process.kill(pid, 'SIGKILL');
    process.once('exit', endWithUs);
    this.#child.once('exit', () => process.off('exit', endWithUs));
    closeSync(log);
  }

  /** Resolves when it serves. @throws with its last lines where it ended, or does not serve within a minute. */
  async ready(withinMs = startWithinMs): Promise<void> {
    const deadline = performance.now() + withinMs;
    while (!(await this.isReady())) {
      if (this.ended() || performance.now() > deadline)
        throw new Error(`supervisor ${this.number} does not serve:\n${this.tail()}`);
      await delay(50);
    }
  }

  async isReady(): Promise<boolean> {
    return fetch(`${this.api}/ready`, { signal: AbortSignal.timeout(3_000) }).then(
      ({ ok }) => ok,
      () => false,
    );
  }

  ended(): boolean {
    return this.#child === null || this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Resolves with the milliseconds until its end; null where it has not ended by then, and was killed. */
  async end(signal: NodeJS.Signals, withinMs: number): Promise<number | null> {
    const child = this.#child;
    if (child === null || this.ended()) return 0;
    const began = performance.now();
    const exited = new Promise<true>((resolve) => child.once('exit', () => resolve(true)));
    child.kill(signal);
    const done = await Promise.race([exited, delay(withinMs, false)]);
    if (done) return performance.now() - began;
    child.kill('SIGKILL');
    await exited;
    return null;
  }

  /** Drains it, frozen or not. */
  async stop(): Promise<void> {
    this.signal('SIGCONT');
    await this.end('SIGTERM', 12_000);
  }

  /** Resident memory in MiB; 0 where it does not run. */
  memory(): number {
    try {
      return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))?.[1] ?? 0) / 1_024;
    } catch {
      return 0;
    }
  }

  /** What it logged since the last time. A line that is no JSON is a crash of Node. */
  readLog(): readonly LogLine[] {
    const text = readFileSync(this.#log, 'utf8').slice(this.#read);
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    this.#read += whole.length;
    return whole
      .split('\n')
      .filter((line) => line !== '')
      .map(lineOf);
  }

  tail(): string {
    return readFileSync(this.#log, 'utf8').slice(-2_000);
  }
}

function lineOf(text: string): LogLine {
  try {
    return JSON.parse(text) as LogLine;
  } catch {
    return { level: 'raw', event: text };
  }
}
