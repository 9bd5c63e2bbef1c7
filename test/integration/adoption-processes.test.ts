import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { expectInvariants } from '../support/invariants.ts';
import { mulaDatabase, mulaTask } from '../support/mula-database.ts';

const entry = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));

async function rota(url: string, ...args: readonly string[]): Promise<{ code: number | null; out: string }> {
  const child = spawn(process.execPath, [entry, ...args], {
    env: { PATH: process.env['PATH'], NODE_ENV: 'production', SCHEDULER_DB_URI: url, NATS_URL: 'nats://127.0.0.1:1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (out += chunk.toString()));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, out };
}

test('two processes that migrate at once do it once between them', async () => {
  const { url, client, mula } = await mulaDatabase();
  for (const status of ['queued', 'running', 'failed', 'completed']) await mula.createTask(mulaTask({ status }));
  const ends = await Promise.all([rota(url, 'migrate'), rota(url, 'migrate')]);
  expect(ends.map(({ code }) => code)).toEqual([0, 0]);
  const steps = ends.flatMap(({ out }) => out.match(/^migrated to .*$/gm) ?? []);
  const { rows } = await client.query<{ name: string }>('SELECT name FROM rota_migrations ORDER BY number');
  expect(steps).toEqual(rows.map(({ name }) => `migrated to ${name}`));
  await expectInvariants(client);
});

test.each(['0009', '0011'])('a database at alembic revision %s is refused with a sentence', async (revision) => {
  const { url, client } = await mulaDatabase();
  await client.query('UPDATE alembic_version SET version_num = $1', [revision]);
  for (const command of ['migrate', 'start']) {
    const { code, out } = await rota(url, command);
    expect(code, out).toBe(78);
    expect(out).toContain(`alembic revision ${revision}; Rota adopts revision 0010`);
  }
  expect((await client.query("SELECT to_regclass('queue') AS queue")).rows).toEqual([{ queue: null }]);
});

test('there and back again from the command line', async () => {
  const { url, client, mula } = await mulaDatabase();
  await mula.createTask(mulaTask());
  expect(await rota(url, 'migrate')).toMatchObject({ code: 0, out: expect.stringContaining('1 tasks queued') });
  expect(await rota(url, 'migrate', '--back-to-mula')).toMatchObject({ code: 0 });
  expect(await mula.pop('boefje', 1)).toHaveLength(1);
  expect(await rota(url, 'migrate')).toMatchObject({ code: 0, out: expect.stringContaining('1 leased') });
  await expectInvariants(client);
});
