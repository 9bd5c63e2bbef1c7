import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RankBatch, RankerModule } from '../../src/protocol/ranking.ts';
import type { SchedulerDefinition } from '../../src/protocol/scheduler.ts';
import { deliver } from '../support/deliveries.ts';
import { Ports } from '../support/ports.ts';

/** The example of docs/extending.md, as a newcomer would paste it. */
const root = join(import.meta.dirname, '../..');
let directory: string;
let examples: Map<string, string>;

beforeAll(async () => {
  examples = await examplesOf(join(root, 'docs/extending.md'));
  // As deep below the root as actors/<name>, so that the imports of the page resolve.
  await mkdir(join(root, '.rota'), { recursive: true });
  directory = await mkdtemp(join(root, '.rota/extending-'));
  await Promise.all([...examples].map(([path, code]) => writeFile(join(directory, basename(path)), code)));
});

afterAll(() => rm(directory, { recursive: true, force: true }));

/** Code blocks that begin with the path of their file, by that path. */
async function examplesOf(page: string): Promise<Map<string, string>> {
  // What follows is used as it is installed: test/integration/npm-package.test.ts.
  const [inside] = (await readFile(page, 'utf8')).split('## Outside of this repository');
  const blocks = inside!.matchAll(/^```ts\n\/\/ (\S+)\n(.*?)^```/gms);
  return new Map([...blocks].map(([, path, code]) => [path!, code!]));
}

async function load<T>(file: string): Promise<T> {
  return (await import(pathToFileURL(join(directory, file)).href)) as T;
}

describe('the page on extending', () => {
  test('shows a scheduler and a ranker, and both type-check', async () => {
    expect([...examples.keys()]).toEqual(['actors/inventory/behavior.ts', 'actors/rankers/longest-ago.ts']);
    await writeFile(join(directory, 'tsconfig.json'), '{ "extends": "../../tsconfig.json", "include": ["*.ts"] }');
    const check = promisify(execFile)(join(root, 'node_modules/.bin/tsc'), ['--noEmit', '-p', directory]);
    await expect(check.catch(({ stdout }: { stdout: string }) => stdout)).resolves.toMatchObject({ stdout: '' });
  });

  test('its scheduler is a whole definition and queues one task per organisation', async () => {
    const definition = (await load<{ default: SchedulerDefinition<{ kind: string }> }>('behavior.ts')).default;
    expect(definition).toMatchObject({ type: 'inventory', itemType: 'InventoryTask', streams: [] });
    const it = new Ports('inventory');
    it.organisations = { aa: { plugins: [] }, bb: { plugins: [] } };
    const behavior = definition.start(it.setup);
    for (const { message } of definition.clocks) {
      const [first] = await deliver(behavior[message.kind]!, message);
      const [again] = await deliver(behavior[message.kind]!, message);
      expect([first!.settled, again!.settled]).toEqual([{ value: { queued: 2 } }, { value: { queued: 0 } }]);
    }
    expect(it.pushed.map(({ organisation }) => organisation)).toEqual(['aa', 'bb']);
  });

  test('its ranker puts a person first, then what never ran, then what ran longest ago', async () => {
    const { default: rank } = await load<RankerModule>('longest-ago.ts');
    const batch: RankBatch = {
      now: 2000,
      count: 4,
      createdAt: Float64Array.of(1, 2, 3, 4),
      lastRunAt: Float64Array.of(1500, 900.5, Number.NaN, 10),
      occurredAt: new Float64Array(4).fill(Number.NaN),
      manual: Uint8Array.of(0, 0, 0, 1),
      organisation: new Uint32Array(4),
      organisations: ['aa'],
      gracePeriod: 86_400,
    };
    const { ranks } = rank(batch);
    expect([...ranks.keys()].toSorted((a, b) => ranks[a]! - ranks[b]!)).toEqual([3, 2, 1, 0]);
    expect([...ranks].every(Number.isSafeInteger)).toBe(true);
  });
});
