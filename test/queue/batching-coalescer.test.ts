import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Coalescer } from '../../src/queue/batching.ts';

/** Statements that end when the test ends them. */
function coalescerUnderTest(options: { maxInFlight?: number; maxBatch?: number } = {}) {
  const statements: { batch: readonly string[]; end: () => void }[] = [];
  const coalescer = new Coalescer<string, string>({
    maxInFlight: options.maxInFlight ?? 1,
    maxBatch: options.maxBatch ?? 100,
    run: (batch) => {
      const { promise, resolve } = Promise.withResolvers<readonly string[]>();
      statements.push({ batch, end: () => resolve(batch.map((item) => `${item} done`)) });
      return promise;
    },
    outcomeOf: () => null,
  });
  return { coalescer, statements, sent: () => statements.flatMap(({ batch }) => batch) };
}

describe('while a statement hangs', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  /** One statement that hangs, and what waits behind it. */
  async function hanging() {
    const under = coalescerUnderTest();
    const first = under.coalescer.submit(['first']);
    await vi.advanceTimersByTimeAsync(1);
    return { ...under, first };
  }

  test('what has waited 10 s is refused as unavailable, and never sent', async () => {
    const { coalescer, statements, sent, first } = await hanging();
    const late = expect(coalescer.submit(['late'])).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    await vi.advanceTimersByTimeAsync(9_400);
    const young = coalescer.submit(['young']);
    await vi.advanceTimersByTimeAsync(1_100);
    await late;
    statements[0]!.end();
    await vi.advanceTimersByTimeAsync(10);
    expect(sent()).toEqual(['first', 'young']);
    statements[1]!.end();
    expect([await first, await young]).toEqual([['first done'], ['young done']]);
  });

  test('what its requester abandoned is not sent; a requester may wait longer, or less long, than others', async () => {
    const { coalescer, statements, sent } = await hanging();
    let gone = false;
    const codes = Promise.allSettled([
      coalescer.submit(['abandoned'], { isGone: () => gone }),
      coalescer.submit(['hasty'], { withinMs: 1_000 }),
    ]);
    const patient = coalescer.submit(['patient'], { withinMs: 60_000 });
    gone = true;
    await vi.advanceTimersByTimeAsync(30_000);
    expect((await codes).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    statements[0]!.end();
    await vi.advanceTimersByTimeAsync(10);
    statements[1]!.end();
    expect([await patient, sent()]).toEqual([['patient done'], ['first', 'patient']]);
  });

  test('nothing looks for what is late while nothing waits', async () => {
    const { coalescer, statements } = await hanging();
    statements[0]!.end();
    await vi.advanceTimersByTimeAsync(1_000);
    await coalescer.idle();
    expect(vi.getTimerCount()).toBe(0);
  });
});

test('each submission has one outcome of its own, whatever hangs, leaves or is late; items of one key keep their order', async () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('submit' as const), key: fc.integer({ min: 0, max: 3 }), leaves: fc.boolean() }),
    fc.record({ do: fc.constant('end' as const) }),
    fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 400, 5_000, 11_000) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      vi.useFakeTimers();
      try {
        const running: { batch: readonly string[]; end: () => void }[] = [];
        const sent: string[] = [];
        const coalescer = new Coalescer<string, string>({
          maxInFlight: 2,
          maxBatch: 3,
          keyOf: (item) => item.split(' ')[0]!,
          run: (batch) => {
            sent.push(...batch);
            const { promise, resolve } = Promise.withResolvers<readonly string[]>();
            running.push({ batch, end: () => resolve(batch) });
            return promise;
          },
          outcomeOf: () => null,
        });
        const outcomes: Promise<PromiseSettledResult<string[]>[]>[] = [];
        const submitted: string[] = [];
        const gone = new Set<string>();
        for (const [at, one] of steps.entries()) {
          if (one.do === 'submit') {
            const item = `${one.key} ${at}`;
            submitted.push(item);
            outcomes.push(Promise.allSettled([coalescer.submit([item], { isGone: () => gone.has(item) })]));
            if (one.leaves) gone.add(item);
          } else if (one.do === 'end') running.shift()?.end();
          else await vi.advanceTimersByTimeAsync(one.ms);
        }
        for (let rounds = 0; rounds < 100; rounds += 1) {
          for (const statement of running.splice(0)) statement.end();
          await vi.advanceTimersByTimeAsync(1_000);
        }
        const settled = (await Promise.all(outcomes)).flat();
        for (const [at, outcome] of settled.entries()) {
          const item = submitted[at]!;
          if (outcome.status === 'fulfilled') expect(outcome.value).toEqual([item]);
          expect(outcome.status === 'fulfilled').toBe(sent.includes(item));
        }
        expect(new Set(sent).size).toBe(sent.length);
        for (const those of Object.values(Object.groupBy(sent, (item) => item.split(' ')[0]!))) {
          const places = those!.map((item) => Number(item.split(' ')[1]));
          expect(places).toEqual(places.toSorted((a, b) => a - b));
        }
      } finally {
        vi.useRealTimers();
      }
    }),
    { numRuns: 60 },
  );
});
