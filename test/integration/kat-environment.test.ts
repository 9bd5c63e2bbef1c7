import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, inject, onTestFinished, test, vi } from 'vitest';
import type { EffectiveValue } from '../../src/config/config.ts';
import { runCli } from '../support/cli.ts';
import { addOrganisation, boefje, hostname } from '../support/kat-world.ts';
import { katEnvironment } from '../support/kat-env.ts';
import { type House, openHouse } from '../support/rota.ts';

// Whole processes: seconds each on an idle machine.
vi.setConfig({ testTimeout: 120_000 });

let house: House;

beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.stop());

const prefix = `kat-${process.pid}`;

/** KAT's environment as it is, with the services where this test has them. */
function environment(more: Readonly<Record<string, string>>): Record<string, string> {
  return {
    ...katEnvironment(),
    PATH: process.env['PATH']!,
    NODE_ENV: 'production',
    SCHEDULER_DB_URI: house.databaseUrl.replace('postgres://', 'postgresql+psycopg2://'),
    QUEUE_URI: house.amqpUrl,
    KATALOGUS_API: `${house.kat.urls.katalogus}/`,
    OCTOPOES_API: house.kat.urls.octopoes,
    BYTES_API: house.kat.urls.bytes,
    BYTES_USERNAME: house.kat.credentials.username,
    BYTES_PASSWORD: house.kat.credentials.password,
    SCHEDULER_API_HOST: '127.0.0.1',
    SCHEDULER_API_PORT: '0',
    NATS_URL: inject('natsUrl').replace('nats://', ''),
    SCHEDULER_NATS_PREFIX: prefix,
    SCHEDULER_LOGGING_FORMAT: 'json',
    SPAN_EXPORT_GRPC_ENDPOINT: '127.0.0.1:1',
    ...more,
  };
}

interface Line {
  readonly level: string;
  readonly event: string;
  readonly reason?: string;
}

function start(env: Record<string, string>) {
  const entry = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));
  const child = spawn(process.execPath, [entry, 'start'], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => lines.push(line));
  const events = () => lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Line);
  const exited = once(child, 'exit') as Promise<[number | null]>;
  const told = async (event: string) => {
    const look = () => (child.exitCode === null ? events().map((line) => line.event) : [event, lines.join('\n')]);
    await expect.poll(look).toContain(event);
    expect(child.exitCode, lines.join('\n')).toBeNull();
  };
  return { child, exited, lines, events, told };
}

test.each(['True', 'False'])(
  'Rota starts with KAT’s own environment and DEBUG=%s, warns of nothing, shows no secret',
  async (debug) => {
    const env = environment({ DEBUG: debug });
    const rota = start(env);
    await rota.told('serving');
    await rota.told('event source connected');
    const { id: organisation } = addOrganisation(house.world, { plugins: [boefje('dns')] });
    await house.mutate(organisation, hostname('example.com'));
    await expect.poll(() => house.sql`SELECT 1 FROM tasks WHERE organisation = ${organisation}`).toHaveLength(1);
    const asked = await runCli(['config', '--json', '--all'], {
      env: { NATS_URL: env['NATS_URL']!, SCHEDULER_NATS_PREFIX: prefix },
    });
    const shown = JSON.parse(asked.stdout) as { values: EffectiveValue[] };
    const local = await runCli(['config', '--local', '--json', '--all'], { env });
    expect(JSON.parse(local.stdout)).toEqual({ ...shown, instance: null });
    const valueOf = (name: string) => shown.values.find((it) => it.name === name)?.value;
    expect(valueOf('DEBUG')).toBe(String(debug === 'True'));
    expect(valueOf('SCHEDULER_COLLECT_METRICS')).toBe('false');
    expect(valueOf('SCHEDULER_DB_URI')).toMatch(/^postgresql:\/\/redacted:redacted@127/);
    expect(valueOf('NATS_URL')).toBe(inject('natsUrl'));
    expect(valueOf('SPAN_EXPORT_GRPC_ENDPOINT')).toBe('http://127.0.0.1:1/');
    expect(valueOf('SCHEDULER_PQ_MAXSIZE')).toBe('1000');
    rota.child.kill('SIGTERM');
    expect(await rota.exited).toEqual([0, null]);
    expect(rota.events().some(({ level }) => level === 'debug')).toBe(debug === 'True');
    expect(rota.events().filter(({ event }) => event === 'environment variable is not read')).toEqual([]);
    const everything = [...rota.lines, asked.stdout, local.stdout].join('\n');
    expect(everything).not.toContain('typed-secret');
    expect(everything).not.toContain(house.kat.credentials.password);
  },
);

test('lessons 1: a misspelt variable of ours is warned of at start and by rota doctor, without its value', async () => {
  const env = environment({ SCHEDULER_API_PROT: 'typed-secret-x' });
  const rota = start(env);
  await rota.told('serving');
  const reason = 'SCHEDULER_API_PROT is not read: SCHEDULER_API_PORT was probably meant';
  expect(rota.events().filter(({ event }) => event === 'environment variable is not read')).toMatchObject([
    { level: 'warning', reason },
  ]);
  const doctor = await runCli(['doctor', '--json'], { env });
  const { findings } = JSON.parse(doctor.stdout) as {
    findings: { on: string | null; level: string; finding: string }[];
  };
  const misspelt = findings.filter(({ finding }) => finding === reason);
  expect(misspelt.map(({ level }) => level)).toEqual(['warning', 'warning']);
  expect(misspelt.map(({ on }) => on === null)).toEqual([true, false]);
  rota.child.kill('SIGTERM');
  expect(await rota.exited).toEqual([0, null]);
  expect(rota.lines.join('\n') + doctor.stdout).not.toContain('typed-secret');
});
