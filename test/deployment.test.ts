import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { readConfig } from '../src/config.ts';
import { importsOf, readSources } from './support/imports.ts';

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');

test('compose.yaml starts Rota as `scheduler` beside Postgres, NATS and RabbitMQ, with variables that Rota reads', () => {
  const compose = parse(read('compose.yaml')) as {
    services: Record<string, { environment?: Record<string, string>; ports?: string[]; depends_on?: object }>;
    volumes: object;
  };
  expect(Object.keys(compose.services).sort()).toEqual(['nats', 'postgres', 'rabbitmq', 'scheduler']);
  expect(Object.keys(compose.services['scheduler']!.depends_on!).sort()).toEqual(['nats', 'postgres', 'rabbitmq']);
  const environment = Object.fromEntries(
    Object.entries(compose.services['scheduler']!.environment!).map(([name, value]) => [
      name,
      value.replace(/\$\{\w+:-(\w+)\}/g, '$1'),
    ]),
  );
  const config = readConfig(environment);
  expect(config).toMatchObject({
    SCHEDULER_DB_URI: 'postgresql://scheduler:scheduler@postgres:5432/scheduler',
    NATS_URL: 'nats://nats:4222',
    QUEUE_URI: 'amqp://scheduler:scheduler@rabbitmq:5672/',
  });
  // Nobody but this host reaches the API, which has no authentication by default.
  expect(compose.services['scheduler']!.ports).toEqual(['127.0.0.1:8004:8000']);
});

test('docs/deploy/env.example holds only variables that Rota reads, with values it accepts', () => {
  const lines = read('docs/deploy/env.example').split('\n');
  const entries = lines
    .filter((line) => /^#? ?[A-Z_]+=/.test(line))
    .map((line) => line.replace(/^# ?/, '').split('=', 2));
  const given = Object.fromEntries(entries) as Record<string, string>;
  const config = readConfig(given) as Record<string, unknown>;
  for (const name of Object.keys(given).filter((name) => given[name] !== '' && !name.endsWith('_RANKER'))) {
    expect(config, name).toHaveProperty(name);
  }
  expect(config['rankers']).toEqual({ boefje: 'fair-share' });
});

test('the image runs the CLI as a non-root user, in exec form, and copies only what exists', () => {
  const lines = read('Dockerfile').split('\n');
  const instructions = lines.filter((line) => /^[A-Z]+ /.test(line));
  const user = instructions.findIndex((line) => line.startsWith('USER '));
  expect(instructions[user]).toBe('USER node');
  expect(instructions.findIndex((line) => line.startsWith('ENTRYPOINT '))).toBeGreaterThan(user);
  // The heap that the `rota` command has, which docs/benchmarks.md was measured with.
  const flag = /^exec "\$node" (\S+) "\$root\/src\/cli\.ts" "\$@"$/m.exec(read('src/launch.sh'))![1]!;
  expect(JSON.parse(instructions.find((line) => line.startsWith('ENTRYPOINT '))!.slice('ENTRYPOINT '.length))).toEqual([
    'node',
    flag,
    'src/cli.ts',
  ]);
  expect(read('docs/deploy/rota.service')).toContain(`ExecStart=/usr/bin/node ${flag} src/cli.ts start`);
  expect(JSON.parse(instructions.find((line) => line.startsWith('CMD '))!.slice('CMD '.length))).toEqual(['start']);
  const copied = instructions
    .filter((line) => /^COPY (?!--from)/.test(line))
    .flatMap((line) => line.split(' ').slice(1, -1));
  for (const path of copied) expect(existsSync(new URL(`../${path}`, import.meta.url)), path).toBe(true);
  const pinned = (JSON.parse(read('package.json')) as { devDependencies: { node: string } }).devDependencies.node;
  for (const from of instructions.filter((line) => line.startsWith('FROM '))) {
    expect(from).toContain(`node:${pinned.split('.')[0]}-`);
  }
});

test('what the image runs imports no package that the image does not have', async () => {
  const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> };
  const sources = await readSources(new URL('../', import.meta.url), ['src', 'actors']);
  const missing = sources
    .filter(({ path }) => path.endsWith('.ts') && !path.endsWith('.d.ts'))
    .flatMap(importsOf)
    .filter(({ target, typeOnly }) => !typeOnly && !/^(?:node:|src\/|actors\/)/.test(target))
    .filter(({ target }) => !(/^(?:@[^/]+\/)?[^/]+/.exec(target)![0] in dependencies))
    .map(({ from, target }) => `${from} → ${target}`);
  expect(missing).toEqual([]);
});

test('wherever Rota is started, its memory is bounded in the same way', () => {
  for (const path of ['src/launch.sh', 'Dockerfile', 'docs/deploy/rota.service']) {
    expect(read(path), path).toMatch(/MALLOC_ARENA_MAX=("\$\{MALLOC_ARENA_MAX:-)?2/);
  }
});
