import { describe, expect, test } from 'vitest';
import type { StreamEvent } from '../../src/protocol/events.ts';
import { type Broker, done, failed, mutation, never, stage, stream, timing, until } from './events-stage.ts';

/** What becomes of an event that is handled, fails, kills its thread or cannot be read: the same on every broker. */
export function eventsAreHandled(start: () => Promise<Broker>): void {
  const on = stage(start);

  describe('an event', () => {
    test('is handed over parsed, with its trace, and is gone when it is done', async () => {
      const seen: { event: StreamEvent; trace: string }[] = [];
      const source = on.broker.source({ maxAttempts: 3, prefetch: 10, timing, tell: () => {} });
      await source.consume(stream, async (event, { trace }) => {
        seen.push({ event, trace });
        return done;
      });
      await on.broker.publish(stream, mutation('a'), { traceparent: '00-aa-bb-01' });
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
      await until(async () => expect(await on.broker.waiting(stream)).toBe(0));
    });

    test('comes back when its thread dies while handling it', async () => {
      const first = await on.run(never);
      await on.broker.publish(stream, mutation('a'));
      await until(() => expect(first.calls).toHaveLength(1));
      await first.source.stop(0);
      const second = await on.run(() => done);
      await until(() => expect(second.status().done).toBe(1));
      await second.source.stop(1_000);
      expect(second.calls).toEqual([{ name: 'a', alone: true }]);
      await until(async () => expect(await on.broker.waiting(stream)).toBe(0));
      expect(await on.broker.dead(stream)).toEqual([]);
    });

    test('that fails is tried again, alone, and is done when it succeeds', async () => {
      const { calls, status } = await on.run((_name, call) => (call < 3 ? failed : done));
      await on.broker.publish(stream, mutation('a'));
      await until(() => expect(status()).toMatchObject({ done: 1, retried: 2, deadLettered: 0 }));
      expect(calls.map((call) => call.alone)).toEqual([false, true, true]);
      expect(status().lastError).toBe('SERVICE_REJECTED: katalogus answered nonsense');
    });

    test('that fails too often is dead-lettered with its error, and does not hold up the others', async () => {
      const { source, calls, told, status } = await on.run((name) => (name === 'poison' ? failed : done), {
        prefetch: 1,
      });
      await on.broker.publish(stream, mutation('poison'), { traceparent: '00-aa-bb-01' });
      for (const name of ['a', 'b', 'c']) await on.broker.publish(stream, mutation(name));
      await until(() => expect(status()).toMatchObject({ done: 3, deadLettered: 1 }));
      await source.stop(1_000);
      expect(calls.filter(({ name }) => name === 'poison')).toHaveLength(3);
      const [letter, ...more] = await on.broker.dead(stream);
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
      await until(async () => expect(await on.broker.waiting(stream)).toBe(0));
    });

    test('that will never parse is dead-lettered at once, byte for byte, and names the field', async () => {
      const { source, calls, status } = await on.run(() => done);
      const wrong = '{"operation": "create",  "primary_key":"a","client_id":7}';
      await on.broker.publish(stream, wrong);
      await on.broker.publish(stream, 'not JSON');
      await on.broker.publish(stream, mutation('a'));
      await until(() => expect(status()).toMatchObject({ done: 1, deadLettered: 2, retried: 0 }));
      await source.stop(1_000);
      expect(calls).toHaveLength(1);
      const letters = await on.broker.dead(stream);
      const errors = new Map(letters.map(({ body, headers }) => [body, headers['x-rota-error']]));
      expect(errors.get(wrong)).toMatch(/INVALID_REQUEST: malformed scan_profile_mutations message: client_id: /);
      expect(errors.get('not JSON')).toContain('not JSON');
    });

    test('that kills its thread over and over ends dead, and takes no other down', async () => {
      const innocents = Array.from({ length: 20 }, (_, at) => `innocent ${at}`);
      await on.broker.publish(stream, mutation('poison'));
      for (const name of innocents) await on.broker.publish(stream, mutation(name));
      // The first life has all of them in one batch when the poison ends it: none is settled.
      const first = await on.run(never, { maxAttempts: 2 });
      await until(() => expect(first.calls).toHaveLength(1 + innocents.length));
      await first.source.stop(0);

      const survived = new Set<string>();
      let deaths = 0;
      for (let buried = false; !buried;) {
        const { source, calls, status } = await on.run(
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
      const letters = await on.broker.dead(stream);
      expect(letters.map(({ body }) => body)).toEqual([mutation('poison')]);
      expect(letters[0]!.headers['x-rota-error']).toContain('ACTOR_TERMINATED');
      await until(async () => expect(await on.broker.waiting(stream)).toBe(0));
    });
  });
}
