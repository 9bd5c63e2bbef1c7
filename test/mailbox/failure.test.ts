import { describe, expect, test } from 'vitest';
import { attempt, attemptEach, FailureError, failureOf } from '../../src/mailbox/failure.ts';

const failure = { code: 'SERVICE_UNAVAILABLE', message: 'out', retryable: true, fields: {} };

async function* pages(thrown: Error) {
  yield await Promise.resolve(1);
  throw thrown;
}

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const values: T[] = [];
  for await (const value of source) values.push(value);
  return values;
}

describe('an attempt', () => {
  test('answers with the value, or with a retryable failure as data', async () => {
    expect(await attempt(Promise.resolve(1))).toEqual({ ok: true, value: 1 });
    expect(await attempt(Promise.reject(new FailureError(failure)))).toEqual({ ok: false, failure });
  });

  test('at a source of many ends with the failure, after what came before it', async () => {
    const results = await collect(attemptEach(pages(new FailureError(failure))));
    expect(results).toEqual([
      { ok: true, value: 1 },
      { ok: false, failure },
    ]);
  });

  test('leaves any other error thrown: it is a bug', async () => {
    await expect(attempt(Promise.reject(new TypeError('a bug')))).rejects.toThrow('a bug');
    await expect(collect(attemptEach(pages(new TypeError('a bug'))))).rejects.toThrow('a bug');
  });

  test('does not take an error of its consumer for one of the source, and closes the source', async () => {
    let closed = false;
    const source = (async function* source() {
      try {
        yield 1;
      } finally {
        closed = true;
      }
    })();
    const consume = async () => {
      for await (const _page of attemptEach(source)) throw new FailureError(failure);
    };
    await expect(consume()).rejects.toThrow('out');
    expect(closed).toBe(true);
  });
});

test('a long message is cut between characters: half of one is no UTF-8, and other programs refuse it', () => {
  const { message } = failureOf(new Error(`${'x'.repeat(1_999)}😀${'x'.repeat(10)}`));
  expect(message.isWellFormed()).toBe(true);
  expect(message.length).toBe(2_001);
});
