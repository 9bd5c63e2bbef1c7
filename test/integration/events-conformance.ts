import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { EventSource } from '../../src/events/source.ts';
import type { Timing } from '../../src/events/timing.ts';
import type { Result } from '../../src/mailbox/failure.ts';
import type { ScanProfileMutated, StreamEvent } from '../../src/protocol/events.ts';
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
  cut(): void;
  down(): void;
  up(): void;
  stop(): Promise<void>;
}

export interface DeadLetter {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

const stream = 'scan_profile_mutations';
const timing: Partial<Timing> = { retryMs: [20, 40], holdMs: [2, 10], reconnectMs: [10, 50], ackWaitMs: 500 };

export const mutation = (name: string) =>
  JSON.stringify({
    operation: 'create',
    primary_key: name,
    value: { primary_key: name, object_type: 'Hostname', scan_profile: { scan_profile_type: 'declared', level: 2 } },
    client_id: 'aa',
  });

const done: Result<unknown> = { ok: true, value: null };
const failed: Result<unknown> = {
  ok: false,
  failure: { code: 'SERVICE_REJECTED', message: 'katalogus answered nonsense', retryable: true },
};
const outage: Result<unknown> = {
  ok: false,
  failure: { code: 'SERVICE_UNAVAILABLE', message: 'octopoes is down', retryable: true },
};

interface Call {
  readonly name: string;
  readonly alone: boolean;
}

export function conformance(start: () => Promise<Broker>): void {
  let broker: Broker;
  let sources: EventSource[];

  beforeEach(async () => {
    broker = await start();
    sources = [];
  });

  afterEach(async () => {
    await Promise.all(sources.map((source) => source.stop(0)));
    await broker.stop();
  });

  /** A source with a handler that decides by name and call; `calls` in order. */
  async function run(
    decide: (name: string, call: number) => Result<unknown> | Promise<Result<unknown>>,
    options: { maxAttempts?: number; prefetch?: number; timing?: Partial<Timing> } = {},
  ) {
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
  }

  const until = (assertion: () => void | Promise<void>) => vi.waitFor(assertion, { timeout: 20_000, interval: 10 });
  const never = () => new Promise<Result<unknown>>(() => {});

  describe('an event', () => {
    test('is handed over parsed, with its trace, and is gone when it is done', async () => {
      const seen: { event: StreamEvent; trace: string }[] = [];
      const source = broker.source({ maxAttempts: 3, prefetch: 10, timing, tell: () => {} });
      sources.push(source);
      await source.consume(stream, async (event, { trace }) => {
        seen.push({ event, trace });
        return done;
      });
      await broker.publish(stream, mutation('a'), { traceparent: '00-aa-bb-01' });
      await until(() => expect(source.status()[0]).toMatchObject({ connected: true, done: 1, inHand: 0 }));
      await source.stop(1_000);
      expect(seen).toEqual([
        {
          event: {
            kind: 'scan-profile-mutated',
            operation: 'create',
            organisation: 'aa',
            primaryKey: 'a',
            objectType: 'Hostname',
            scanLevel: 2,
          },
          trace: '00-aa-bb-01',
        },
      ]);
      expect(await broker.waiting(stream)).toBe(0);
    });

    test('comes back when its thread dies with it in hand', async () => {
      const first = await run(never);
      await broker.publish(stream, mutation('a'));
      await until(() => expect(first.calls).toHaveLength(1));
      await first.source.stop(0);
      const second = await run(() => done);
      await until(() => expect(second.status().done).toBe(1));
      await second.source.stop(1_000);
      expect(second.calls).toEqual([{ name: 'a', alone: true }]);
      expect(await broker.waiting(stream)).toBe(0);
      expect(await broker.dead(stream)).toEqual([]);
    });

    test('that fails is tried again, alone, and is done when it succeeds', async () => {
      const { calls, status } = await run((_name, call) => (call < 3 ? failed : done));
      await broker.publish(stream, mutation('a'));
      await until(() => expect(status()).toMatchObject({ done: 1, retried: 2, deadLettered: 0 }));
      expect(calls.map((call) => call.alone)).toEqual([false, true, true]);
      expect(status().lastError).toBe('SERVICE_REJECTED: katalogus answered nonsense');
    });

    test('that fails too often is dead-lettered with its error, and does not hold up the others', async () => {
      const { source, calls, told, status } = await run((name) => (name === 'poison' ? failed : done), { prefetch: 1 });
      await broker.publish(stream, mutation('poison'), { traceparent: '00-aa-bb-01' });
      for (const name of ['a', 'b', 'c']) await broker.publish(stream, mutation(name));
      await until(() => expect(status()).toMatchObject({ done: 3, deadLettered: 1 }));
      await source.stop(1_000);
      expect(calls.filter(({ name }) => name === 'poison')).toHaveLength(3);
      const [letter, ...more] = await broker.dead(stream);
      expect(more).toEqual([]);
      expect(letter!.body).toBe(mutation('poison'));
      expect(letter!.headers).toMatchObject({
        traceparent: '00-aa-bb-01',
        'x-rota-error': 'SERVICE_REJECTED: katalogus answered nonsense',
        'x-rota-attempts': '3',
        'x-rota-dead-at': expect.stringMatching(/^\d{4}-.*Z$/),
      });
      expect(told).toContainEqual({
        name: 'event.dead-lettered',
        stream,
        code: 'SERVICE_REJECTED',
        message: 'katalogus answered nonsense',
      });
      expect(await broker.waiting(stream)).toBe(0);
    });

    test('that will never parse is dead-lettered at once, byte for byte, and names the field', async () => {
      const { source, calls, status } = await run(() => done);
      const wrong = '{"operation": "create",  "primary_key":"a","client_id":7}';
      await broker.publish(stream, wrong);
      await broker.publish(stream, 'not JSON');
      await broker.publish(stream, mutation('a'));
      await until(() => expect(status()).toMatchObject({ done: 1, deadLettered: 2, retried: 0 }));
      await source.stop(1_000);
      expect(calls).toHaveLength(1);
      const letters = await broker.dead(stream);
      const errors = new Map(letters.map(({ body, headers }) => [body, headers['x-rota-error']]));
      expect(errors.get(wrong)).toMatch(/INVALID_REQUEST: malformed scan_profile_mutations message: client_id: /);
      expect(errors.get('not JSON')).toContain('not JSON');
    });

    test('that kills its thread over and over ends dead, and takes no other down', async () => {
      const innocents = Array.from({ length: 20 }, (_, at) => `innocent ${at}`);
      await broker.publish(stream, mutation('poison'));
      for (const name of innocents) await broker.publish(stream, mutation(name));
      // The first life has all of them in one batch when the poison ends it: none is settled.
      const first = await run(never, { maxAttempts: 2 });
      await until(() => expect(first.calls).toHaveLength(1 + innocents.length));
      await first.source.stop(0);

      const survived = new Set<string>();
      let deaths = 0;
      for (let buried = false; !buried;) {
        const { source, calls, status } = await run(
          (name) => {
            if (name === 'poison') return never();
            survived.add(name);
            return done;
          },
          { maxAttempts: 2 },
        );
        await until(() =>
          expect(calls.some(({ name }) => name === 'poison') || status().deadLettered === 1).toBe(true),
        );
        buried = status().deadLettered === 1;
        if (buried) await until(() => expect(survived.size).toBe(innocents.length));
        else deaths += 1;
        await source.stop(buried ? 1_000 : 0);
      }
      expect(deaths).toBe(1);
      expect([...survived].sort()).toEqual([...innocents].sort());
      const letters = await broker.dead(stream);
      expect(letters.map(({ body }) => body)).toEqual([mutation('poison')]);
      expect(letters[0]!.headers['x-rota-error']).toContain('ACTOR_TERMINATED');
      expect(await broker.waiting(stream)).toBe(0);
    });
  });

  describe('an outage', () => {
    test('holds an event in hand and counts no attempt, however long it lasts', async () => {
      const { calls, status } = await run((_name, call) => (call < 30 ? outage : done), { maxAttempts: 1 });
      await broker.publish(stream, mutation('a'));
      await until(() => expect(status()).toMatchObject({ done: 1, retried: 0, deadLettered: 0 }));
      expect(calls.every((call) => !call.alone)).toBe(true);
    });

    test('is back-pressure: no more than the prefetch is in hand', async () => {
      let down = true;
      const { calls, status } = await run(() => (down ? outage : done), { prefetch: 3 });
      for (let at = 0; at < 12; at += 1) await broker.publish(stream, mutation(`e${at}`));
      await until(() => expect(calls.length).toBeGreaterThan(30));
      expect(new Set(calls.map((call) => call.name)).size).toBe(3);
      expect(status().inHand).toBe(3);
      down = false;
      await until(() => expect(status().done).toBe(12));
    });

    test('sends an event that was held for too long to the tail, its attempts unchanged', async () => {
      const { calls, status } = await run((name, call) => (name === 'a' && call === 1 ? outage : done), {
        prefetch: 1,
        maxAttempts: 1,
        timing: { longestHoldMs: 0 },
      });
      await broker.publish(stream, mutation('a'));
      await broker.publish(stream, mutation('b'));
      await until(() => expect(status()).toMatchObject({ done: 2, deadLettered: 0 }));
      expect(calls.filter((call) => call.alone)).toEqual([]);
    });

    test('that lasts over a restart counts no attempt either', async () => {
      const first = await run(() => outage);
      await broker.publish(stream, mutation('a'));
      await until(() => expect(first.calls.length).toBeGreaterThan(2));
      await first.source.stop(5_000);
      expect(await broker.waiting(stream)).toBe(1);
      const second = await run(() => done);
      await until(() => expect(second.status().done).toBe(1));
      expect(second.calls).toEqual([{ name: 'a', alone: false }]);
    });
  });

  describe('a lost connection', () => {
    test('comes back by itself, and what was in hand is no attempt', async () => {
      const verdict = Promise.withResolvers<Result<unknown>>();
      const { source, calls, told, status } = await run((name) => (name === 'held' ? verdict.promise : done), {
        maxAttempts: 1,
      });
      await broker.publish(stream, mutation('held'));
      await until(() => expect(calls).toHaveLength(1));
      for (let cuts = 1; cuts <= 3; cuts += 1) {
        broker.cut();
        await broker.publish(stream, mutation(`after ${cuts}`));
        await until(() => expect(calls.some(({ name }) => name === `after ${cuts}`)).toBe(true));
      }
      verdict.resolve(done);
      await until(() => expect(status()).toMatchObject({ connected: true, inHand: 0, deadLettered: 0 }));
      expect(told.filter(({ name }) => name === 'source.lost')).not.toEqual([]);
      await source.stop(1_000);
      expect(await broker.waiting(stream)).toBe(0);
      expect(calls.filter(({ alone }) => alone)).toEqual([]);
    });

    test('at the start is no error: events come as soon as the broker does', async () => {
      broker.down();
      const { calls, status } = await run(() => done);
      expect(status()).toMatchObject({ connected: false, lastError: expect.any(String) });
      await broker.publish(stream, mutation('a'));
      broker.up();
      await until(() => expect(calls).toHaveLength(1));
      await until(() => expect(status()).toMatchObject({ connected: true, done: 1 }));
    });
  });

  test('stopping waits for what is in hand, and takes no more', async () => {
    const verdict = Promise.withResolvers<Result<unknown>>();
    const { source, calls, status } = await run(() => verdict.promise);
    await broker.publish(stream, mutation('a'));
    await until(() => expect(calls).toHaveLength(1));
    const stopped = source.stop(10_000);
    await broker.publish(stream, mutation('b'));
    verdict.resolve(done);
    await stopped;
    expect(status()).toMatchObject({ done: 1, inHand: 0 });
    expect(calls).toHaveLength(1);
    expect(await broker.waiting(stream)).toBe(1);
  });

  test('a thousand events of every kind, with cut connections, all end done or dead and nowhere else', async () => {
    const kinds = ['good', 'good', 'good', 'fails once', 'fails always', 'outage', 'malformed'] as const;
    const events = Array.from({ length: 1_000 }, (_, at) => ({
      name: `e${at}`,
      kind: kinds[(at * 7919) % kinds.length]!,
    }));
    const kindOf = new Map(events.map(({ name, kind }) => [name, kind]));
    const finished = new Set<string>();
    const { source, status } = await run(
      (name, call) => {
        const kind = kindOf.get(name);
        if (kind === 'fails always' || (kind === 'fails once' && call === 1)) return failed;
        if (kind === 'outage' && call < 3) return outage;
        finished.add(name);
        return done;
      },
      { timing: { retryMs: [5, 5] } },
    );
    const publishing = events.map(async ({ name, kind }) =>
      broker.publish(stream, kind === 'malformed' ? `{"primary_key":"${name}"}` : mutation(name)),
    );
    await until(() => expect(status().done).toBeGreaterThan(100));
    broker.cut();
    await Promise.all(publishing);
    const named = (...wanted: string[]) => events.filter(({ kind }) => wanted.includes(kind)).map(({ name }) => name);
    const survivors = named('good', 'fails once', 'outage').sort();
    const doomed = named('fails always', 'malformed').sort();
    const letters = new Set<string>();
    await until(async () => {
      for (const { body } of await broker.dead(stream)) {
        letters.add((JSON.parse(body) as { primary_key: string }).primary_key);
      }
      expect(letters.size).toBe(doomed.length);
    });
    await until(async () => {
      expect(await broker.waiting(stream)).toBe(0);
      expect(status()).toMatchObject({ connected: true, inHand: 0 });
    });
    await source.stop(5_000);
    expect(await broker.waiting(stream)).toBe(0);
    expect([...finished].sort()).toEqual(survivors);
    expect([...letters].sort()).toEqual(doomed);
  });
}
