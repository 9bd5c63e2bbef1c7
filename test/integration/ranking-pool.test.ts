import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { batchOf } from '../../src/ranking/batch.ts';
import { createRanking, type Ranking } from '../../src/ranking/pool.ts';
import { readRankers } from '../../src/supervisor/catalog.ts';

/** Rankers as a newcomer might write them, good and bad. */
const rankers = {
  good: `import { threadId } from 'node:worker_threads';
    export const where = [];
    export default (batch) => ({ ranks: Float64Array.from(batch.createdAt, Math.floor) });`,
  columns: 'export default (batch) => ({ ranks: batch.createdAt });',
  where: `import { isMainThread } from 'node:worker_threads';
    export const inlineBelow = 10;
    export default (batch) => ({ ranks: new Float64Array(batch.count).fill(isMainThread ? 1 : 2) });`,
  costs: `export const fair = true;
    export const explicitPriorities = 'manual-only';
    export default (batch) => ({ ranks: new Float64Array(batch.count).fill(batch.count)  });`,
  parts: 'export default (batch) => ({ ranks: new Float64Array(batch.count).fill(batch.count) });',
  throws: 'export default () => { throw Object.assign(new TypeError("no such column"), { code: "EXOTIC" }); };',
  short: 'export default () => ({ ranks: new Float64Array(1) });',
  broken: 'export default (batch) => ({ ranks: new Float64Array(batch.count).fill(0.5) });',
  huge: 'export default (batch) => ({ ranks: new Float64Array(batch.count).fill(2 ** 60) });',
  nothing: 'export default () => {};',
  hangs: 'export default () => { for (;;); };',
  exits: 'export default () => process.exit(3);',
  notone: 'export const rank = 1;',
};
let directory: string;
let ranking: Ranking;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rota-rankers-'));
  const files = new Map(Object.keys(rankers).map((name) => [name, pathToFileURL(join(directory, `${name}.ts`)).href]));
  for (const [name, source] of Object.entries(rankers)) await writeFile(join(directory, `${name}.ts`), source);
  // Long enough for a thread to start on a busy machine.
  ranking = createRanking({ files, threads: 2, deadlineMs: 2_000 });
});
afterAll(async () => {
  await ranking.close();
  await rm(directory, { recursive: true });
});

const batch = (count: number) =>
  batchOf(
    Array.from({ length: count }, (_, at) => ({
      createdAt: (at + 0.5) * 1_000,
      lastRunAt: null,
      occurredAt: null,
      manual: false,
      organisation: 'aa',
    })),
    { now: 0, gracePeriodSeconds: 0 },
  );

test('a batch is ranked in order, whether or not it is split over threads', async () => {
  const { ranks } = await ranking.rank('good', batch(50_001));
  expect(ranks).toEqual(Float64Array.from({ length: 50_001 }, (_, at) => at));
});

test('a ranker sees a large batch in parts', async () => {
  expect(new Set((await ranking.rank('parts', batch(50_000))).ranks)).toEqual(new Set([25_000]));
});

test('a ranker that vouches for small batches runs inline below its bound, and in the pool from there', async () => {
  expect((await ranking.rank('where', batch(9))).ranks[0]).toBe(1);
  expect((await ranking.rank('where', batch(10))).ranks[0]).toBe(2);
});

test('an empty batch needs no ranker', async () => {
  expect((await ranking.rank('hangs', batch(0))).ranks).toHaveLength(0);
});

test.each([
  ['throws', 'threw', /no such column/],
  ['short', 'nonsense', /ranks: expected 3, got 1/],
  ['broken', 'nonsense', /ranks\[0\]: expected a whole number within ±2\^53, got 0.5/],
  ['huge', 'nonsense', /whole number/],
  ['columns', 'nonsense', /whole number/],
  ['nothing', 'nonsense', /ranks: expected a Float64Array/],
  ['exits', 'threw', /./],
])('a ranker that %s fails its batch with the reason, and the pool goes on', async (name, reason, message) => {
  await expect(ranking.rank(name, batch(3))).rejects.toMatchObject({
    code: 'RANK_FAILED',
    fields: { ranker: name, reason },
    message: expect.stringMatching(message),
  });
  expect((await ranking.rank('good', batch(3))).ranks).toHaveLength(3);
});

test('a ranker that hangs is ended at its deadline; batches that waited behind it are ranked', async () => {
  const hung = [ranking.rank('hangs', batch(1)), ranking.rank('hangs', batch(1))];
  const behind = ranking.rank('good', batch(3));
  for (const batch of hung)
    await expect(batch).rejects.toMatchObject({ code: 'RANK_FAILED', fields: { reason: 'hung' } });
  expect((await behind).ranks).toHaveLength(3);
});

test('a ranker says what it is', async () => {
  const plain = { fair: false, explicitPriorities: null, inlineBelow: 0 };
  expect(await ranking.describe('good')).toEqual(plain);
  expect(await ranking.describe('where')).toEqual({ ...plain, inlineBelow: 10 });
  expect(await ranking.describe('costs')).toEqual({ ...plain, fair: true, explicitPriorities: 'manual-only' });
});

test('an unknown ranker is a wrong configuration that names those there are; so is a file that is not one', async () => {
  await expect(ranking.rank('../pool', batch(1))).rejects.toMatchObject({
    code: 'BAD_CONFIG',
    message: expect.stringContaining('there are: broken, columns, costs, exits, good'),
  });
  await expect(ranking.describe('notone')).rejects.toMatchObject({
    code: 'BAD_CONFIG',
    message: expect.stringContaining('has no default export'),
  });
});

test('the shipped rankers are found and vouch for small batches', async () => {
  const shipped = createRanking({
    files: await readRankers(new URL('../../actors/rankers/', import.meta.url)),
    threads: 1,
    deadlineMs: 10_000,
  });
  for (const name of ['created-at', 'recency', 'raw-file-age', 'fair-share']) {
    expect((await shipped.describe(name)).inlineBelow).toBeGreaterThan(0);
  }
  expect((await shipped.describe('fair-share')).fair).toBe(true);
  await shipped.close();
});
