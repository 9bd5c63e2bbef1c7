import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const root = fileURLToPath(new URL('../../', import.meta.url));
const page = await readFile(join(root, 'docs/trying-the-api.md'), 'utf8');

interface Step {
  readonly command: string;
  readonly output: string;
}

/** The transcript, but for its first block, which installs and starts. */
const [first, ...rest] = [...page.matchAll(/^```console\n(.*?)^```/gms)].map(([, block]) => stepsOf(block!));
const steps = rest.flat();

function stepsOf(block: string): readonly Step[] {
  return block
    .split(/^\$ /m)
    .slice(1)
    .map((text) => ({
      command: text.slice(0, text.indexOf('\n')),
      output: text.slice(text.indexOf('\n') + 1).trim(),
    }));
}

let data: string;
let dev: ChildProcess;
let ready: { readonly api: string };

beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), 'rota-trying-'));
  const ports = ['--api-port', '0', '--nats-port', '0', '--page-port', '0'];
  dev = spawn(process.execPath, [join(root, 'src/cli.ts'), 'dev', '--data', data, ...ports, '--json'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [line] = (await once(createInterface({ input: dev.stdout! }), 'line')) as [string];
  ready = JSON.parse(line) as typeof ready;
});

afterAll(async () => {
  const closed = once(dev, 'close');
  dev.kill('SIGTERM');
  await closed;
  await rm(data, { recursive: true, force: true });
});

const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
/** Of this run: those of the next years are what the reader typed. */
const time = /20[12]\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)/g;

/** What is of one run alone is named by its kind; ids by the order in which they come. */
function comparable(output: string, seen: Map<string, string>): string {
  return output
    .replaceAll('\r', '')
    .replaceAll(uuid, (id) => seen.get(id) ?? (seen.set(id, `id ${seen.size}`), seen.get(id)!))
    .replaceAll(time, 'time')
    .replaceAll(/^Date: .*$/gm, 'Date')
    .replaceAll(/127\.0\.0\.1:\d+/g, 'address')
    .trim();
}

test('the ready line has what the page shows', () => {
  const start = first!.at(-1)!;
  expect(start.command).toMatch(/^npx rota dev /);
  expect(Object.keys(ready)).toEqual(Object.keys(JSON.parse(start.output) as object));
});

test('each command of the page answers what the page shows', async () => {
  const [onPage, here] = [new Map<string, string>(), new Map<string, string>()];
  const ours = (command: string) => {
    const names = new Map([...here].map(([id, name]) => [name, id]));
    return command.replaceAll(uuid, (id) => names.get(onPage.get(id) ?? '') ?? id);
  };
  let variables = `api=${ready.api}`;
  expect(steps.length).toBeGreaterThan(15);
  for (const { command, output } of steps) {
    if (/^api=/.test(command)) continue;
    if (/^[a-z]+=/.test(command)) {
      variables = `${variables}; ${ours(command)}`;
      continue;
    }
    const { stdout } = await promisify(execFile)('bash', ['-c', `${variables}; ${ours(command)}`]);
    expect.soft(comparable(stdout, here), command).toBe(comparable(output, onPage));
  }
});
