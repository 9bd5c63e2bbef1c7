import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { TaskView } from '../../src/protocol/operator-lists.ts';
import { type RotaAtHand, startRotaAtHand } from '../support/cli.ts';
import { boefjeTask } from '../support/wire.ts';

// Each command is a process of its own: a second or two on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

let hand: RotaAtHand;

beforeAll(async () => {
  hand = await startRotaAtHand();
});

afterAll(() => hand.stop());

const ask = async (method: string, path: string, body?: object) => {
  const answer = await fetch(hand.rota.api + path, {
    method,
    ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
};

const only = (organisation: string) => ({
  filters: [{ column: 'organisation', operator: 'eq' as const, value: organisation }],
});

async function claimed(organisation: string) {
  await hand.client.push('boefje', boefjeTask(organisation, 'Hostname|internet|a'));
  const [task] = await hand.client.pop('boefje', { filters: only(organisation), worker: 'scanner-7' });
  return task!;
}

const history = async (id: string) => (await ask('GET', `/tasks/${id}/history`)).body;

test('a worker says over NATS why its task failed; people see it, mula’s answers keep their eleven keys', async () => {
  const { id, lease_id } = await claimed('nats');
  const message = 'no route\u0000 to \u001b[31mhost\nat all';
  const error = { code: 'no-route', message, detail: `{"environment":{"KEY":"hunter2"},"line":1}` };
  await hand.client.patch({ id, lease_id, status: 'running' });
  const answer = await hand.client.patch({ id, lease_id, status: 'failed', error });
  expect(Object.keys(answer)).toHaveLength(11);
  const kept = {
    code: 'no-route',
    message: String.raw`no route\u0000 to \u001b[31mhost\nat all`,
    detail: '{"line":1}',
  };
  const shown = await hand.json<TaskView>(['tasks', 'show', id]);
  expect(shown).toMatchObject({ worker: 'scanner-7', error: kept });
  const { stdout } = await hand.run(['tasks', 'show', id]);
  expect(stdout).toMatch(/worker +scanner-7\n/);
  expect(stdout).toMatch(/ended +\S.*, after \d+\.\d s\n/);
  expect(stdout).toContain(`no-route: ${kept.message}\n`);
  const listed = await hand.run(['tasks', 'list', '--failed', '--organisation', 'nats']);
  expect(listed.stdout).toMatch(/scanner-7 .*no-route: no route/);
  const metrics = await (await fetch(`${hand.rota.api}/metrics`)).text();
  expect(metrics).toContain('rota_plugin_tasks_total{scheduler="boefje",plugin="dns-records",status="failed"} 1');
  expect(metrics).toContain('rota_tasks_failed_total{scheduler="boefje",code="no-route"} 1');
  expect(metrics).toContain('rota_plugin_run_seconds_count{plugin="dns-records"} 1');
  const { body } = await ask('GET', `/tasks/${id}`);
  expect(Object.keys(body)).toHaveLength(11);
  expect(await history(id)).toMatchObject({ status: 'failed', worker: 'scanner-7', error: kept, attempts_before: [] });
});

test('a runner says it over REST; what completes has no error, and long texts are cut', async () => {
  const { id } = await hand.client.push('boefje', boefjeTask('rest', 'Hostname|internet|a'));
  await ask('POST', '/schedulers/boefje/pop?limit=1', only('rest'));
  const patch = (body: object) => ask('PATCH', `/tasks/${id}`, body);
  const faults = [
    { status: 'completed', error: { message: 'm' } },
    { status: 'failed', error: { code: 'no route', message: 'm' } },
    { status: 'failed', error: { code: 'c' } },
    { status: 'failed', error: { message: 'm', more: 1 } },
    { status: 'failed', error: 'm' },
  ];
  const answers = [];
  for (const fault of faults) answers.push((await patch(fault)).status);
  expect(answers).toEqual([400, 422, 422, 422, 422]);
  const long = { message: 'é'.repeat(1_000), detail: 'x'.repeat(5_000) };
  const { status, body } = await patch({ status: 'failed', error: long });
  expect([status, Object.keys(body).length]).toEqual([200, 11]);
  const { error } = (await history(id)) as { error: { message: string; detail: string } };
  expect(error.message).toBe(`${'é'.repeat(510)}…`);
  expect(Buffer.byteLength(error.detail)).toBe(4_096);
  expect(await patch({ status: 'queued', error: null })).toMatchObject({ status: 200 });
  expect(await history(id)).toMatchObject({
    error: null,
    attempts_before: [{ outcome: 'failed' }],
    changed: { action: 'retry', by: '127.0.0.1' },
  });
});

test('over NATS too a wrong error is refused, with its field', async () => {
  const { id, lease_id } = await claimed('wrong');
  const patch = (status: 'completed' | 'failed', error: object) =>
    hand.client.patch({ id, lease_id, status, error: error as { message: string } });
  const refused = (field: string) => ({ code: 'INVALID_REQUEST', message: expect.stringContaining(field) as string });
  await expect(patch('completed', { message: 'm' })).rejects.toMatchObject(refused('error: only with'));
  await expect(patch('failed', { message: 1 })).rejects.toMatchObject(refused('error.message'));
});

test('an operator’s name and reason are on the task that it released', async () => {
  const { id } = await claimed('released');
  await hand.json(['tasks', 'release', id, '--why', 'the scanner hangs']);
  const { changed, attempts_before: before } = await hand.json<TaskView>(['tasks', 'show', id]);
  expect(changed).toMatchObject({ action: 'release', why: 'the scanner hangs' });
  expect(changed!.by).not.toBe('');
  expect(before).toMatchObject([{ outcome: 'released', worker: 'scanner-7' }]);
  expect((await hand.run(['tasks', 'show', id])).stdout).toMatch(/before +released by scanner-7 at /);
});
