import { expect, onTestFinished, test, vi } from 'vitest';
import { queueCommands, type QueuePorts } from '../../src/control/queues.ts';
import type { DeadLetters } from '../../src/events/dead-letters.ts';
import type { RerankProgress } from '../../src/protocol/operator.ts';

const nested = (depth: number) => '['.repeat(depth) + '{"0":0}' + ']'.repeat(depth);

test.each([
  ['a list that nests without an end', nested(100_000)],
  ['an object that does', `{"a":${nested(100_000)}}`],
  ['a number', '7'],
  ['no JSON', 'no JSON'],
])('a dead letter that is %s is shown as its text, in an answer that can be written', async (_, body) => {
  const letter = {
    id: 'a',
    stream: 'raw_file_received',
    at: null,
    error: null,
    attempts: 1,
    body,
    bodyBytes: body.length,
  };
  const deadLetters = { list: async () => [letter] } as unknown as DeadLetters;
  const commands = queueCommands({ deadLetters, audit: () => {} } as unknown as QueuePorts);
  const answer = await commands['dead-letters'].run({ limit: 20, max_age_seconds: 0 }, { by: null, access: 'read' });
  expect((JSON.parse(JSON.stringify(answer)) as { results: object[] }).results[0]).toMatchObject({ id: 'a', body });
});

/** A scheduler that takes until `end` to be ranked again; `begun` counts the runs. */
function rerankUnderTest() {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const runs: { report(looked: number, moved: number): void; end(): void; fail(error: Error): void }[] = [];
  const audited: unknown[] = [];
  const ports = {
    instance: 'one',
    schedulerIds: ['boefje'],
    rerank: async (_scheduler: string, report: (looked: number, moved: number) => void) => {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      runs.push({ report, end: resolve, fail: reject });
      await promise;
    },
    audit: (command: string, by: string | null, fields: object) => audited.push({ command, by, ...fields }),
  } as unknown as QueuePorts;
  const command = queueCommands(ports).rerank;
  const ask = async (body: object = {}) =>
    (await command.run({ scheduler: 'boefje', ...body }, { by: 'me', access: 'operate' })) as RerankProgress;
  return { ask, runs, audited };
}

test('a rerank that its client left to itself is not the answer to the next request: that one begins another', async () => {
  const { ask, runs, audited } = rerankUnderTest();
  const left = ask();
  await vi.advanceTimersByTimeAsync(5_000);
  expect(await left).toMatchObject({ instance: 'one', looked: 0, complete: false });
  runs[0]!.report(7, 3);
  runs[0]!.end();
  await vi.advanceTimersByTimeAsync(0);
  const next = ask();
  await vi.advanceTimersByTimeAsync(0);
  expect(runs).toHaveLength(2);
  runs[1]!.end();
  expect(await next).toMatchObject({ looked: 0, moved: 0, complete: true });
  expect(audited).toMatchObject([
    { command: 'rerank', by: 'me', scheduler: 'boefje' },
    { command: 'rerank', by: 'me', tasks: 7, moved: 3 },
    { scheduler: 'boefje' },
    { tasks: 0 },
  ]);
  expect(audited[0]).not.toHaveProperty('tasks');
});

test('a client that asks by the id of its run learns its end, also where another run began since', async () => {
  const { ask, runs } = rerankUnderTest();
  const first = ask();
  await vi.advanceTimersByTimeAsync(5_000);
  const { run } = await first;
  runs[0]!.report(7, 3);
  runs[0]!.end();
  await vi.advanceTimersByTimeAsync(0);
  const other = ask();
  await vi.advanceTimersByTimeAsync(5_000);
  expect((await other).run).not.toBe(run);
  expect(await ask({ run })).toEqual({ instance: 'one', run, looked: 7, moved: 3, complete: true });

  runs[1]!.fail(new Error('no ranker'));
  await vi.advanceTimersByTimeAsync(0);
  await expect(ask({ run: (await other).run })).rejects.toThrow('no ranker');
  await vi.advanceTimersByTimeAsync(60_000);
  await expect(ask({ run })).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

test('a request joins the rerank that is under way', async () => {
  const { ask, runs } = rerankUnderTest();
  const answers = [ask(), ask()];
  await vi.advanceTimersByTimeAsync(0);
  expect(runs).toHaveLength(1);
  runs[0]!.end();
  const [one, two] = await Promise.all(answers);
  expect(one).toEqual(two);
});

test('dead letters are listed once for all who wait, and not while they are settled', async () => {
  const begun: { readonly what: string; end(value: readonly never[]): void }[] = [];
  const begin = (what: string) => {
    const { promise, resolve } = Promise.withResolvers<readonly never[]>();
    begun.push({ what, end: resolve });
    return promise;
  };
  const deadLetters = { list: (limit: number) => begin(`list ${limit}`), settle: () => begin('settle') };
  const commands = queueCommands({ deadLetters, audit: () => {} } as unknown as QueuePorts);
  const caller = { by: null, access: 'operate' } as const;
  const list = () => commands['dead-letters'].run({ limit: 1_000, max_age_seconds: 0 }, caller);
  const lists = [list(), list()];
  const settled = commands['settle-dead-letters'].run({ action: 'drop' }, caller);
  await vi.waitFor(() => expect(begun).toHaveLength(1));
  begun[0]!.end([]);
  await Promise.all(lists);
  await vi.waitFor(() => expect(begun.map(({ what }) => what)).toEqual(['list 1000', 'settle']));
  const later = list();
  begun[1]!.end([]);
  await settled;
  await vi.waitFor(() => expect(begun).toHaveLength(3));
  begun[2]!.end([]);
  expect(await later).toEqual({ results: [] });
});

test('a preview is made one at a time, by a ranker that there is, and tells of the hundred organisations that change most', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const asked: string[] = [];
  const places = { count: 1, first: 1 };
  const ports = {
    schedulerIds: ['boefje'],
    rankers: { names: () => ['created-at', 'fair-share'], ownOf: () => 'fair-share' },
    previewRerank: async (_scheduler: string, ranker: string) => {
      asked.push(ranker);
      await promise;
      const organisations = Array.from({ length: 130 }, (_none, at) => ({
        name: `org-${at}`,
        before: places,
        after: places,
      }));
      return { looked: 10_000, looked_is_least: true, counted: 1_000, organisations };
    },
  } as unknown as QueuePorts;
  const command = queueCommands(ports)['preview-rerank'];
  const ask = (ranker?: string) =>
    command.run({ scheduler: 'boefje', ...(ranker === undefined ? {} : { ranker }) }, { by: 'me', access: 'operate' });
  expect(command.access).toBe('operate');
  await expect(ask('none')).rejects.toMatchObject({
    code: 'INVALID_REQUEST',
    message: 'ranker: there is no none; there are: created-at, fair-share',
  });
  const first = ask();
  await expect.poll(() => asked).toEqual(['fair-share']);
  await expect(ask('created-at')).rejects.toMatchObject({ code: 'TOO_MANY_REQUESTS' });
  resolve();
  const answer = await first;
  expect(answer).toMatchObject({ ranker: 'fair-share', own: 'fair-share', others: 30 });
  expect(answer.organisations).toHaveLength(100);
  expect(await ask('created-at')).toMatchObject({ ranker: 'created-at' });
});
