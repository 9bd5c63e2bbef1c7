import { afterEach, beforeEach, vi } from 'vitest';
import type { Backlog } from '../../src/events/backlog.ts';
import type { EventSource, StreamStatus } from '../../src/events/source.ts';
import type { Timing } from '../../src/events/timing.ts';
import type { Result } from '../../src/mailbox/failure.ts';
import type { ScanProfileMutated } from '../../src/protocol/events.ts';
import type { EventStream } from '../../src/protocol/scheduler.ts';
import type { RotaEvent } from '../../src/telemetry/events.ts';

/** What the suite needs of a broker: real ones, reached by the source through a proxy that can cut it off. */
export interface Broker {
  source(options: {
    maxAttempts: number;
    prefetch: number;
    timing: Partial<Timing>;
    tell: (event: RotaEvent) => void;
  }): EventSource;
  publish(stream: EventStream, body: string, headers?: Record<string, string>): Promise<void>;
  dead(stream: EventStream): Promise<readonly DeadLetter[]>;
  /** Events that wait anywhere but among the dead; exact while no source runs. */
  waiting(stream: EventStream): Promise<number>;
  backlog(): Promise<Backlog>;
  cut(): void;
  down(): void;
  up(): void;
  stop(): Promise<void>;
}

export interface DeadLetter {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

export const stream = 'scan_profile_mutations';
export const timing: Partial<Timing> = { retryMs: [20, 40], holdMs: [2, 10], reconnectMs: [10, 50], ackWaitMs: 500 };

export const mutation = (name: string) =>
  JSON.stringify({
    operation: 'create',
    primary_key: name,
    value: { primary_key: name, object_type: 'Hostname', scan_profile: { scan_profile_type: 'declared', level: 2 } },
    client_id: 'aa',
  });

export const done: Result<unknown> = { ok: true, value: null };
export const failed: Result<unknown> = {
  ok: false,
  failure: { code: 'SERVICE_REJECTED', message: 'katalogus answered nonsense', retryable: true },
};
export const outage: Result<unknown> = {
  ok: false,
  failure: { code: 'SERVICE_UNAVAILABLE', message: 'octopoes is down', retryable: true },
};

export const never = () => new Promise<Result<unknown>>(() => {});
export const until = (assertion: () => void | Promise<void>) =>
  vi.waitFor(assertion, { timeout: 20_000, interval: 10 });

interface Call {
  readonly name: string;
  readonly alone: boolean;
}

/** Decides about an event by its name and how often it has come. */
type Decide = (name: string, call: number) => Result<unknown> | Promise<Result<unknown>>;

/** A source under way: its handler's calls in order, and its events. */
interface Running {
  readonly source: EventSource;
  readonly calls: readonly Call[];
  readonly told: readonly RotaEvent[];
  readonly status: () => StreamStatus;
}

/** A broker and any number of sources for each test of the surrounding suite; all end with the test. */
export function stage(start: () => Promise<Broker>) {
  let broker: Broker;
  let sources: EventSource[] = [];

  beforeEach(async () => {
    broker = await start();
    sources = [];
  });

  afterEach(async () => {
    await Promise.all(sources.map((source) => source.stop(0)));
    await broker.stop();
  });

  const run = async (
    decide: Decide,
    options: { maxAttempts?: number; prefetch?: number; timing?: Partial<Timing> } = {},
  ): Promise<Running> => {
    const calls: Call[] = [];
    const told: RotaEvent[] = [];
    const counts = new Map<string, number>();
    const source = broker.source({
      maxAttempts: options.maxAttempts ?? 3,
      prefetch: options.prefetch ?? 100,
      timing: { ...timing, ...options.timing },
      tell: (event) => told.push(event),
    });
    sources.push(source);
    await source.consume(stream, async (event, { alone }) => {
      const { primaryKey: name } = event as ScanProfileMutated;
      const call = (counts.get(name) ?? 0) + 1;
      counts.set(name, call);
      calls.push({ name, alone });
      return decide(name, call);
    });
    return { source, calls, told, status: () => source.status()[0]! };
  };

  return {
    run,
    get broker() {
      return broker;
    },
  };
}
