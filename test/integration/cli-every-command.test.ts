import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { access, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import { createProgram } from '../../src/cli/program.ts';
import { createJetstreamPublisher } from '../../src/events/jetstream-message.ts';
import { connectRota, type RotaClient } from '../../src/nats/client.ts';
import { runCli } from '../support/cli.ts';
import { createDatabase } from '../support/database.ts';
import { documentedKeys } from '../support/json-shapes.ts';
import { boefjeTask, taskOf } from '../support/wire.ts';

// Some seventy processes, a second or two each on a busy machine.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

const entry = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));
const prefix = `every${randomUUID().slice(0, 8)}`;
const remote = { NATS_URL: inject('natsUrl'), SCHEDULER_NATS_PREFIX: prefix };

let database: Awaited<ReturnType<typeof createDatabase>>;
let client: RotaClient;
/** Two supervisors, each a process as `rota start` makes it. */
const supervisors: ChildProcess[] = [];
/** Commands that were driven, in both forms. */
const driven = { json: new Set<string>(), table: new Set<string>() };

beforeAll(async () => {
  database = await createDatabase();
  client = await connectRota({ servers: inject('natsUrl'), prefix });
  const env = {
    ...process.env,
    ...remote,
    SCHEDULER_DB_URI: database.url,
    SCHEDULER_DB_CONNECTION_POOL_SIZE: '6',
    SCHEDULER_EVENTS: 'jetstream',
    SCHEDULER_API_HOST: '127.0.0.1',
    SCHEDULER_API_PORT: '0',
  };
  for (let count = 0; count < 2; count += 1) {
    supervisors.push(spawn(process.execPath, [entry, 'start'], { env, stdio: 'ignore' }));
  }
  const running = async () => {
    const instances = await client.instances();
    const statuses = instances.map((instance) =>
      client.ctl<{ actors: { phase: string }[] }>('status', {}, { instance }),
    );
    return (await Promise.all(statuses)).flatMap(({ actors }) => actors.filter(({ phase }) => phase === 'running'))
      .length;
  };
  await vi.waitFor(async () => expect(await running()).toBe(6), { timeout: 90_000, interval: 200 });
});

afterAll(async () => {
  for (const supervisor of supervisors) supervisor.kill('SIGKILL');
  const manager = await client.connection.jetstreamManager();
  for (const stream of [`${prefix.toUpperCase()}_KAT`, `${prefix.toUpperCase()}_KAT_DEAD`])
    await manager.streams.delete(stream).catch(() => {});
  await client.close();
  await database.drop();
});

function program(): Command {
  const notCalled = async () => {
    throw new Error('only looked at');
  };
  return createProgram({
    version: '0',
    startRota: notCalled,
    startPage: notCalled,
    connectRota: notCalled,
    createJetstreamPublisher: () => ({ publish: notCalled }),
    jetstreamPermissions: () => ({ supervisor: [], publisher: [] }),
  });
}

/** `tasks list`, of every command that talks to a running Rota. */
function remoteCommands(command = program(), path: readonly string[] = []): readonly string[] {
  if (command.commands.length > 0) return command.commands.flatMap((it) => remoteCommands(it, [...path, it.name()]));
  return command.options.some(({ long }) => long === '--nats') ? [path.join(' ')] : [];
}

// `page` serves until it is ended: cli-page.test.ts.
const known = remoteCommands().filter((name) => name !== 'page');
const nameOf = (args: readonly string[]) =>
  [args.slice(0, 2).join(' '), args[0]!].find((name) => known.includes(name))!;

type Form = keyof typeof driven;

/** Runs one command from another shell, in one of its two forms, and looks at what it prints. */
async function drive(form: Form, args: string[], json: unknown, table: RegExp, stdin?: string): Promise<unknown> {
  const { code, stdout, stderr } = await runCli(form === 'json' ? [...args, '--json'] : args, {
    env: remote,
    ...(stdin === undefined ? {} : { stdin }),
  });
  expect(code, `rota ${args.join(' ')}: ${stderr}`).toBe(0);
  driven[form].add(nameOf(args));
  if (form === 'table') {
    expect(stdout, args.join(' ')).toMatch(table);
    return null;
  }
  const answer = JSON.parse(stdout) as object;
  const documented = documentedKeys.get(nameOf(args));
  if (documented !== undefined) expect(Object.keys(answer).toSorted(), args.join(' ')).toEqual(documented);
  expect(answer, args.join(' ')).toMatchObject(json as object);
  return answer;
}

const any = (of: unknown): unknown => expect.any(of);
const uuid = /[0-9a-f]{8}-[0-9a-f-]{27}/;

test.each<Form>(['json', 'table'])(
  'tasks, schedules and pauses are worked on from another shell: --%s',
  async (form) => {
    const organisation = `tasks-${form}`;
    const run = (args: string[], json: unknown, table: RegExp, stdin?: string) => drive(form, args, json, table, stdin);
    const file = JSON.stringify({ scheduler_id: 'boefje', ...boefjeTask(organisation, 'Hostname|internet|a') });
    await run(['push', '-'], { results: [{ organisation, status: 'queued' }] }, /TASK +STATUS[^]* queued/, file);
    const { id } = await client.push('boefje', boefjeTask(organisation, 'Hostname|internet|b'));
    const task = (await taskOf(client, id))!;
    const schedule = task.schedule_id!;

    const of = ['--organisation', organisation];
    await run(['tasks', 'list', ...of], { count: 2, results: [{ organisation }, {}] }, /TASK +SCHEDULER[^]*2 of 2/);
    await run(['tasks', 'show', id], { id, status: 'queued', attempts: 0 }, /in the queue +\d+ before it/);
    await run(
      ['explain', id],
      {
        scheduler: 'boefje',
        trigger: 'event',
        verdict: 'refused',
        reason: 'already-queued',
        steps: any(Array),
        task: { id },
      },
      /^Queued since 20[^]*\nDo: [^]*\n\nRULE +OK/,
    );
    await run(['tasks', 'cancel', id], { changed: 1, refused: [] }, /1 task cancelled/);
    await run(['tasks', 'retry', id], { changed: 1, refused: [] }, /1 task queued again/);

    await run(['pause', 'boefje', ...of], { held: 2 }, /2 queued tasks are held/);
    await run(
      ['pauses'],
      { results: [{ scheduler: 'boefje', organisation }] },
      new RegExp(`boefje +${organisation} +all`),
    );
    await run(
      ['audit', '--organisation', organisation, '--limit', '1'],
      { results: [{ command: 'pause', organisation, fields: { tasks: 2 } }] },
      /pause +.*organisation=/,
    );
    await run(['incidents', '--limit', '5'], { results: any(Array), unknown: null }, /SUPERVISOR +WHAT/);
    await run(
      ['queue', 'boefje', '--by', 'organisation'],
      { results: any(Array) },
      new RegExp(`SCHEDULER +ORGANISATION[^]*boefje +${organisation} `),
    );
    await run(['names', 'organisation', 'tasks-'], { results: any(Array) }, new RegExp(`^${organisation}$`, 'm'));
    await run(['resume', 'boefje', ...of], { released: 2 }, /2 tasks may be popped again/);
    const weight = ['boefje', organisation];
    await run(['weights', 'set', ...weight, '2.5'], { weight: 2.5, before: 1 }, /weight 2\.5, was 1/);
    await run(
      ['weights', 'list'],
      { results: [{ scheduler: 'boefje', organisation, weight: 2.5 }] },
      new RegExp(`boefje +${organisation} +2\\.5`),
    );
    await run(['weights', 'unset', ...weight], { weight: 1, before: 2.5 }, /weight 1, was 2\.5/);
    // On a slow machine a lease that the form before left has ended by now: then there is a third one.
    await run(['rerank', 'boefje'], { looked: any(Number), moved: any(Number) }, /[23] queued tasks ranked/);

    await run(
      ['pop', 'boefje', '--limit', '2'],
      { results: [{ lease_id: any(String) }, {}] },
      /TASK +ORGANISATION[^]*in 1m/,
    );
    await run(['tasks', 'release', id], { changed: 1, refused: [] }, /1 task/);

    await run(
      ['schedules', 'list', ...of],
      { count: 2, results: [{ organisation }, {}] },
      /SCHEDULE +SCHEDULER[^]*2 of 2/,
    );
    await run(['schedules', 'disable', schedule], { id: schedule, enabled: false }, /enabled +no/);
    await run(['schedules', 'show', schedule], { id: schedule, disabled_reason: 'person' }, /enabled +no \(person\)/);
    await run(['schedules', 'enable', schedule], { enabled: true }, /enabled +yes/);
    await run(['schedules', 'set-cron', schedule, '0 3 * * *'], { schedule: '0 3 * * *' }, /cron +0 3 \* \* \*/);
    await run(['schedules', 'run-now', schedule], { id: schedule, deadline_at: any(String) }, /next .*ago/);
    await run(['purge', organisation, '--yes'], { tasks: 1, schedules: 2, pauses: 0 }, /1 tasks? cancelled/);
  },
);

test.each<Form>(['json', 'table'])(
  'events are followed, and those that were given up are settled: --%s',
  async (form) => {
    const organisation = `events-${form}`;
    const args = ['events', '--organisation', organisation, '--count', '1', ...(form === 'json' ? ['--json'] : [])];
    const following = spawn(process.execPath, [entry, ...args], { env: { ...process.env, ...remote } });
    let printed = '';
    following.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    const ended = once(following, 'exit');
    let pushes = 0;
    while (following.exitCode === null) {
      // It says that it listens in one form only: an event that comes too early is missed, and the next one is shown.
      await client.push('boefje', boefjeTask(organisation, `Hostname|internet|${(pushes += 1)}`));
      await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 500))]);
    }
    if (form === 'json')
      expect(JSON.parse(printed)).toMatchObject({ scheduler: 'boefje', event: 'queued', tasks: [{ organisation }] });
    else expect(printed).toMatch(new RegExp(`boefje  queued  ${organisation}  ${uuid.source}`));
    driven[form].add('events');

    const run = (command: string[], json: unknown, table: RegExp) => drive(form, command, json, table);
    const publisher = createJetstreamPublisher(client.connection, prefix);
    const letters = async () => (await client.ctl<{ results: { id: string }[] }>('dead-letters')).results;
    await publisher.publish('raw_file_received', '{}');
    await expect.poll(letters, { timeout: 30_000 }).toHaveLength(1);
    const [{ id }] = (await letters()) as [{ id: string }];
    await run(
      ['dead', 'list'],
      { results: [{ id, stream: 'raw_file_received' }] },
      /EVENT +STREAM[^]*raw_file_received/,
    );
    await run(['dead', 'show', id], { id, body: {} }, /"body": \{\}/);
    await run(['dead', 'requeue', id], { settled: [id] }, /1 requeued/);
    await expect.poll(letters, { timeout: 30_000 }).toMatchObject([{ id: expect.not.stringMatching(`^${id}$`) }]);
    await run(['dead', 'drop', '--stream', 'raw_file_received', '--yes'], { settled: [any(String)] }, /1 dropped/);
  },
);

test.each<Form>(['json', 'table'])('the place is looked at, and its actors are handled: --%s', async (form) => {
  const run = (args: string[], json: unknown, table: RegExp) => drive(form, args, json, table);
  const twice = [{}, {}];
  const overview = { supervisors: twice, schedulers: [{ id: 'boefje' }, {}, {}], sources: twice, unanswered: [] };
  await run(['status'], overview, /SUPERVISOR[^]*QUEUE[^]*SCHEDULES LATE[^]*ACTOR[^]*SOURCE +WAITING/);
  await run(['top', '--frames', '1'], overview, /SUPERVISOR[^]*SOURCE +WAITING/);
  await run(['workers'], { results: any(Array), images: any(Array) }, /WORKER +VIA[^]*SCHEDULER +IMAGE[^]*boefje +any/);
  await run(['actors', 'list'], { actors: Array.from({ length: 6 }, () => ({ phase: 'running' })) }, /ACTOR[^]*report/);
  await run(['actors', 'look', '--organisation', 'aa'], { looking: ['aa'] }, /looking in aa/);
  await run(['actors', 'log-level', 'report', 'debug'], { results: [{ level: 'debug' }, {}] }, /logs at debug/);
  const heap = await run(
    ['actors', 'heap', 'report', '--timeout', '60'],
    { results: [{ file: any(String) }, {}] },
    /heap/,
  );
  for (const { file } of (heap as { results: { file: string }[] } | null)?.results ?? []) {
    await access(file);
    await rm(file);
  }
  await run(['actors', 'restart', 'report'], { results: [{ restarted: 'report' }, {}] }, /restarted/);
  await run(['config'], { values: any(Array) }, /VARIABLE +VALUE +FROM[^]*SCHEDULER_DB_URI/);
  await run(['doctor'], { findings: any(Array) }, /ABOUT +ON +FINDING[^]*every migration is applied/);
});

test.each<Form>(['json', 'table'])('limits and windows are set, looked at and ended: --%s', async (form) => {
  const run = (args: string[], json: unknown, table: RegExp) => drive(form, args, json, table);
  const organisation = `limits-${form}`;
  const of = ['--organisation', organisation];
  const limit = { name: organisation, organisation, concurrency: 3 };
  await run(['limits', 'set', organisation, ...of, '--concurrency', '3'], { added: true }, /^set; it holds within 2 s/);
  await run(['limits', 'list'], { results: [limit] }, new RegExp(`${organisation} +${organisation} +all`));
  await run(['limits', 'show', organisation], limit, /concurrency +3/);
  await run(['limits', 'test', ...of], { results: [{ name: organisation }] }, /at most 3 at once: 0 before it/);
  await run(['limits', 'unset', organisation], { name: organisation }, /^ended/);
  const window = { name: organisation, organisation, open: false };
  const closed = ['--closed-from', '2020-01-01T00:00', '--until', '2999-01-01T00:00'];
  await run(['windows', 'set', organisation, ...of, ...closed], { added: any(Boolean) }, /it holds within 2 s/);
  await run(['windows', 'list'], { results: [window] }, new RegExp(`${organisation} +${organisation} +but 2020`));
  await run(['windows', 'show', organisation], window, /open +false/);
  await run(['windows', 'unset', organisation], { name: organisation }, /^ended/);
});

test('each supervisor drains and ends as a signal would end it: --json and --table', async () => {
  const ends = supervisors.map((supervisor) => once(supervisor, 'exit'));
  const [first, second] = (await client.instances()) as [string, string];
  await drive('json', ['drain', first, '--yes'], { draining: first }, /never/);
  await Promise.race(ends);
  expect(await client.instances()).toEqual([second]);
  await drive('table', ['drain', second, '--yes'], {}, new RegExp(`supervisor ${second} drains and ends`));
  expect(await Promise.all(ends)).toEqual([
    [0, null],
    [0, null],
  ]);
});

test('no command that talks to a running Rota was left out', () => {
  expect(documentedKeys.size).toBeGreaterThan(20);
  for (const form of ['json', 'table'] as const) expect([...driven[form]].toSorted()).toEqual(known.toSorted());
});
