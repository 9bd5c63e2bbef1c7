import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, inject, onTestFinished, test } from 'vitest';
import { migrate } from '../../src/queue/schema/migrations.ts';
import { connect, query } from '../../src/postgres/pool.ts';
import { createTaskQueue } from '../../src/queue/task-queue.ts';
import { runCli } from '../support/cli.ts';
import { createDatabase } from '../support/database.ts';
import { startPgbouncer } from '../support/pgbouncer.ts';
import { boefjeTask, ooiOf, popRequest } from '../support/queue.ts';

async function behindPgbouncer(mode: 'session' | 'transaction' | 'statement'): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'rota-pgbouncer-'));
  const database = await createDatabase();
  const pgbouncer = await startPgbouncer({ directory, postgresUrl: inject('postgresUrl'), mode });
  onTestFinished(async () => {
    await pgbouncer.stop();
    await database.drop();
    await rm(directory, { recursive: true });
  });
  return pgbouncer.url(new URL(database.url).pathname.slice(1));
}

test('behind pgbouncer in session mode, with its defaults, all is as without', async () => {
  const url = await behindPgbouncer('session');
  await migrate(url);
  const sql = connect(url, { max: 1, byKey: true });
  expect(await query(sql, 'SHOW statement_timeout', [])).toEqual([{ statement_timeout: '15s' }]);
  expect(await query(sql, 'SHOW enable_seqscan', [])).toEqual([{ enable_seqscan: 'off' }]);
  expect(await query(sql, 'SHOW TimeZone', [])).toEqual([{ TimeZone: 'UTC' }]);
  await sql.end();
  const queue = createTaskQueue({ databaseUrl: url, connections: 5 });
  await queue.push('boefje', [boefjeTask('one'), boefjeTask('two')]);
  const [task] = await queue.pop('boefje', popRequest());
  expect(ooiOf(task!)).toBe('one');
  const done = { id: task!.id, leaseId: task!.leaseId, via: 'nats', status: 'completed' } as const;
  expect(await queue.patch([done])).toMatchObject([{ ok: true }]);
  expect(await queue.sweep()).toBe(0);
  await queue.drain();
});

test.for(['transaction', 'statement'] as const)(
  'pgbouncer in %s mode is refused at start in one sentence, exit 78',
  async (mode) => {
    const url = await behindPgbouncer(mode);
    for (const more of [{}, { DATABASE_MIGRATION: 'False' }]) {
      const env = { SCHEDULER_DB_URI: url, NATS_URL: inject('natsUrl'), ...more };
      const { code, stderr } = await runCli(['start'], { env });
      expect(stderr).toMatch(/SCHEDULER_DB_URI leads to a pooler that shares connections.*pool_mode = session/);
      expect(code).toBe(78);
    }
  },
);
