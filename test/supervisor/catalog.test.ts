import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { rankersOf, readCatalog } from '../../src/supervisor/catalog.ts';

const complete = `
  export default { type: 'a', itemType: 'A', ranker: 'first', streams: ['raw_file_received'],
    clocks: [{ message: { kind: 'tick' }, everyMs: 1000 }], start: () => ({}) };`;

/** An actors directory with these files; a path that ends in / is an empty folder. */
async function directoryOf(files: Readonly<Record<string, string>>): Promise<URL> {
  const directory = await mkdtemp(join(tmpdir(), 'rota-actors-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  for (const [path, text] of Object.entries({ 'package.json': '{"type":"module"}', ...files })) {
    await mkdir(join(directory, path.endsWith('/') ? path : dirname(path)), { recursive: true });
    if (!path.endsWith('/')) await writeFile(join(directory, path), text);
  }
  return pathToFileURL(`${directory}/`);
}

test('every folder with a behavior is a scheduler, every file in rankers/ a ranker', async () => {
  const directory = await directoryOf({
    'zeta/behavior.ts': complete,
    'alpha/behavior.ts': complete,
    'alpha/decision.ts': '',
    'rankers/first.ts': 'export default (batch) => ({ ranks: new Float64Array(batch.count) });',
    'host.ts': '',
  });
  const catalog = await readCatalog([directory]);
  expect(catalog.actors.map(({ name }) => name)).toEqual(['alpha', 'zeta']);
  expect(catalog.actors[0]).toMatchObject({ behavior: new URL('alpha/behavior.ts', directory).href });
  expect(catalog.actors[0]!.definition).toMatchObject({ type: 'a', itemType: 'A' });
  expect([...catalog.rankers]).toEqual([['first', new URL('rankers/first.ts', directory).href]]);
});

test.for([
  ['no behavior.ts', { 'odd/': '' }, /odd\/: expected a file behavior\.ts or behavior\.js$/],
  ['no default export', { 'odd/behavior.ts': 'export const x = 1;' }, /odd\/behavior\.ts: .*type: string.*start: func/],
  [
    'an unknown stream',
    { 'odd/behavior.ts': complete.replace('raw_file_received', 'tweets') },
    /with streams: a list of scan_profile_mutations \| raw_file_received$/,
  ],
  [
    'a clock that never rests',
    { 'odd/behavior.ts': complete.replace('1000', '0') },
    /with clocks: a list of \{message: \{kind\}, everyMs > 0\}$/,
  ],
  ['an import that fails', { 'odd/behavior.ts': `import './gone.ts';` }, /odd\/behavior\.ts: .*loads \(.*gone\.ts/],
  ['a name that fits no URL', { 'Odd_One/behavior.ts': complete }, /Odd_One\/: expected a name of small letters/],
  ['a ranker that is none', { 'rankers/odd.ts': 'export default 1;' }, /rankers\/odd\.ts: .*rank\(batch\)/],
] as const)('a folder with %s stops the start with its path and what is missing', async ([, files, message]) => {
  const directory = await directoryOf(files);
  await expect(readCatalog([directory])).rejects.toMatchObject({
    code: 'BAD_CONFIG',
    message: expect.stringMatching(message),
  });
});

test('a folder of one’s own adds to those before it, in TypeScript or JavaScript; a name is there once', async () => {
  const ranker = 'export default () => ({ ranks: new Float64Array() });';
  const first = await directoryOf({ 'alpha/behavior.ts': complete, 'rankers/first.ts': ranker });
  const second = await directoryOf({
    'beta/behavior.js': complete,
    'gamma/behavior.mts': complete,
    // What a compiler laid beside its source.
    'rankers/second.ts': ranker,
    'rankers/second.js': 'export default 1;',
    'rankers/second.d.ts': 'export default function rank(): void;',
    'rankers/third.mjs': ranker,
  });
  const catalog = await readCatalog([first, second]);
  expect(catalog.actors.map(({ name }) => name)).toEqual(['alpha', 'beta', 'gamma']);
  expect([...catalog.rankers.keys()].toSorted()).toEqual(['first', 'second', 'third']);
  expect(catalog.rankers.get('second')).toBe(new URL('rankers/second.ts', second).href);

  for (const [files, fault] of [
    [{ 'alpha/behavior.ts': complete }, "alpha/: expected a name that is not taken: there is 'alpha' already"],
    [{ 'rankers/first.js': ranker }, "rankers/first.js: expected a name that is not taken: there is 'first' already"],
    [{ 'notes.txt': '' }, '/: expected a scheduler (<name>/behavior.ts) or a ranker (rankers/<name>.ts) in it'],
  ] as const) {
    const directory = await directoryOf(files);
    await expect(readCatalog([first, directory])).rejects.toMatchObject({
      code: 'BAD_CONFIG',
      message: expect.stringMatching(new RegExp(`^/.*${RegExp.escape(fault)}$`)),
    });
  }
  await expect(readCatalog([first, new URL('nowhere/', second)])).rejects.toMatchObject({
    code: 'BAD_CONFIG',
    message: expect.stringMatching(/nowhere\/: expected a folder of schedulers and rankers$/),
  });
});

test('CommonJS, which npm init writes into package.json, is said to be the cause', async () => {
  const directory = await directoryOf({
    'package.json': '{"type":"commonjs"}',
    'odd/behavior.ts': 'export default {};',
  });
  await expect(readCatalog([directory])).rejects.toMatchObject({
    code: 'BAD_CONFIG',
    message: expect.stringMatching(/odd\/behavior\.ts: .*; its package\.json needs "type": "module"\)$/),
  });
});

test('SCHEDULER_ACTORS narrows the list, and names that do not exist stop the start', async () => {
  const directory = await directoryOf({ 'alpha/behavior.ts': complete, 'broken/': '', 'zeta/behavior.ts': complete });
  const catalog = await readCatalog([directory], { only: 'zeta, alpha' });
  expect(catalog.actors.map(({ name }) => name)).toEqual(['alpha', 'zeta']);
  await expect(readCatalog([directory], { only: 'beta' })).rejects.toMatchObject({
    code: 'BAD_CONFIG',
    message: 'SCHEDULER_ACTORS=beta: expected names out of alpha, broken, zeta',
  });
});

test('a scheduler ranks by its own ranker unless the configuration names another', async () => {
  const ranker = 'export default () => ({ ranks: new Float64Array() });';
  const directory = await directoryOf({
    'alpha/behavior.ts': complete,
    'rankers/first.ts': ranker,
    'rankers/second.ts': ranker,
  });
  const catalog = await readCatalog([directory]);
  expect(rankersOf(catalog, {}).get('alpha')).toBe('first');
  expect(rankersOf(catalog, { alpha: 'second' }).get('alpha')).toBe('second');
  expect(() => rankersOf(catalog, { alpha: 'third' })).toThrow(
    expect.objectContaining({
      code: 'BAD_CONFIG',
      message: "ranker 'third' of scheduler 'alpha': expected one of first, second",
    }),
  );
});
