import { describe, expect, test } from 'vitest';
import type { Result } from '../../src/mailbox/failure.ts';
import { type Broker, done, failed, mutation, outage, stage, stream, until } from './events-stage.ts';

/** Outages of services, lost connections and stops: nothing is lost, and none of them counts against an event. */
export function outagesAreOutlived(start: () => Promise<Broker>): void {
  const on = stage(start);

  describe('an outage', () => {
    test('holds an event and counts no attempt, however long it lasts', async () => {
      const { calls, status } = await on.run((_name, call) => (call < 30 ? outage : done), { maxAttempts: 1 });
      await on.broker.publish(stream, mutation('a'));
      await until(() => expect(status()).toMatchObject({ done: 1, retried: 0, deadLettered: 0 }));
      expect(calls.every((call) => !call.alone)).toBe(true);
    });

    test('is back-pressure: no more than the prefetch is in flight', async () => {
      let down = true;
      const { calls, status } = await on.run(() => (down ? outage : done), { prefetch: 3 });
      for (let at = 0; at < 12; at += 1) await on.broker.publish(stream, mutation(`e${at}`));
      await until(() => expect(calls.length).toBeGreaterThan(30));
      expect(new Set(calls.map((call) => call.name)).size).toBe(3);
      expect(status().inHand).toBe(3);
      down = false;
      await until(() => expect(status().done).toBe(12));
    });

    test('sends an event that was held for too long to the tail, its attempts unchanged', async () => {
      const { calls, status } = await on.run((name, call) => (name === 'a' && call === 1 ? outage : done), {
        prefetch: 1,
        maxAttempts: 1,
        timing: { longestHoldMs: 0 },
      });
      await on.broker.publish(stream, mutation('a'));
      await on.broker.publish(stream, mutation('b'));
      await until(() => expect(status()).toMatchObject({ done: 2, deadLettered: 0 }));
      expect(calls.filter((call) => call.alone)).toEqual([]);
    });

    test('that lasts over a restart counts no attempt either', async () => {
      const first = await on.run(() => outage);
      await on.broker.publish(stream, mutation('a'));
      await until(() => expect(first.calls.length).toBeGreaterThan(2));
      await first.source.stop(5_000);
      expect(await on.broker.waiting(stream)).toBe(1);
      const second = await on.run(() => done);
      await until(() => expect(second.status().done).toBe(1));
      expect(second.calls).toEqual([{ name: 'a', alone: false }]);
    });
  });

  describe('a lost connection', () => {
    test('lessons 1: a lost connection comes back by itself, and what was in flight is no attempt', async () => {
      const verdict = Promise.withResolvers<Result<unknown>>();
      const { source, calls, told, status } = await on.run((name) => (name === 'held' ? verdict.promise : done), {
        maxAttempts: 1,
      });
      await on.broker.publish(stream, mutation('held'));
      await until(() => expect(calls).toHaveLength(1));
      for (let cuts = 1; cuts <= 3; cuts += 1) {
        on.broker.cut();
        await on.broker.publish(stream, mutation(`after ${cuts}`));
        await until(() => expect(calls.some(({ name }) => name === `after ${cuts}`)).toBe(true));
      }
      verdict.resolve(done);
      await until(() => expect(status()).toMatchObject({ connected: true, inHand: 0, deadLettered: 0 }));
      const sources = told.flatMap((event) => (event.name === 'source.lost' ? [event.source] : []));
      expect(sources[0]).toMatch(/^(rabbitmq|jetstream):scan_profile_mutations$/);
      await source.stop(1_000);
      await until(async () => expect(await on.broker.waiting(stream)).toBe(0));
      expect(calls.filter(({ alone }) => alone)).toEqual([]);
    });

    test('names its own error, not that of an event before', async () => {
      const { status } = await on.run((_name, call) => (call === 1 ? failed : done));
      await on.broker.publish(stream, mutation('a'));
      await until(() => expect(status()).toMatchObject({ done: 1, lastError: expect.stringContaining('nonsense') }));
      on.broker.down();
      await until(() => expect(status().connected).toBe(false));
      await until(() => expect(status().lastError).not.toContain('nonsense'));
      on.broker.up();
      await until(() => expect(status().connected).toBe(true));
    });

    test('at the start is no error: events come as soon as the broker does', async () => {
      on.broker.down();
      const { calls, status } = await on.run(() => done);
      expect(status()).toMatchObject({ connected: false, lastError: expect.any(String) });
      await on.broker.publish(stream, mutation('a'));
      on.broker.up();
      await until(() => expect(calls).toHaveLength(1));
      await until(() => expect(status()).toMatchObject({ connected: true, done: 1 }));
    });
  });

  test('stopping waits for what is in flight, and takes no more', async () => {
    const verdict = Promise.withResolvers<Result<unknown>>();
    const { source, calls, status } = await on.run(() => verdict.promise);
    await on.broker.publish(stream, mutation('a'));
    await until(() => expect(calls).toHaveLength(1));
    const stopped = source.stop(10_000);
    await on.broker.publish(stream, mutation('b'));
    verdict.resolve(done);
    await stopped;
    expect(status()).toMatchObject({ done: 1, inHand: 0 });
    expect(calls).toHaveLength(1);
    expect(await on.broker.waiting(stream)).toBe(1);
  });

  test('a thousand events of every kind, with cut connections, all end done or dead and nowhere else', async () => {
    const kinds = ['good', 'good', 'good', 'fails once', 'fails always', 'outage', 'malformed'] as const;
    const events = Array.from({ length: 1_000 }, (_, at) => ({
      name: `e${at}`,
      kind: kinds[(at * 7919) % kinds.length]!,
    }));
    const kindOf = new Map(events.map(({ name, kind }) => [name, kind]));
    const finished = new Set<string>();
    const { source, status } = await on.run(
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
      on.broker.publish(stream, kind === 'malformed' ? `{"primary_key":"${name}"}` : mutation(name)),
    );
    await until(() => expect(status().done).toBeGreaterThan(100));
    on.broker.cut();
    await Promise.all(publishing);
    const named = (...wanted: string[]) => events.filter(({ kind }) => wanted.includes(kind)).map(({ name }) => name);
    const survivors = named('good', 'fails once', 'outage').sort();
    const doomed = named('fails always', 'malformed').sort();
    const letters = new Set<string>();
    await until(async () => {
      for (const { body } of await on.broker.dead(stream)) {
        letters.add((JSON.parse(body) as { primary_key: string }).primary_key);
      }
      expect(letters.size).toBe(doomed.length);
    });
    await until(async () => {
      await until(async () => expect(await on.broker.waiting(stream)).toBe(0));
      expect(status()).toMatchObject({ connected: true, inHand: 0 });
    });
    await source.stop(5_000);
    await until(async () => expect(await on.broker.waiting(stream)).toBe(0));
    expect([...finished].sort()).toEqual(survivors);
    expect([...letters].sort()).toEqual(doomed);
  });
}
