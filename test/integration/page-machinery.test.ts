import { randomUUID } from 'node:crypto';
import { Connection } from 'rabbitmq-client';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { newToken } from '../../src/api-tokens.ts';
import type { ActorView, AuditView, IncidentView, WorkerView } from '../../src/protocol/operator-status.ts';
import { next } from '../../src/telemetry/events.ts';
import { type RotaAtHand, startRotaAtHand } from '../support/cli.ts';
import { createVhost } from '../support/vhost.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const [operator, reader] = [newToken('ops-1', 'operate'), newToken('wall', 'read')] as const;
const markup = '"><img src=x onerror=alert(1)>';

let vhost: Awaited<ReturnType<typeof createVhost>>;
let hand: RotaAtHand;
let instance: string;
let ops: string;

beforeAll(async () => {
  vhost = await createVhost();
  hand = await startRotaAtHand({
    SCHEDULER_API_TOKENS: [operator.line, reader.line].join(','),
    SCHEDULER_PAGE_PORT: '0',
    QUEUE_URI: vhost.url,
  });
  [instance] = (await hand.client.instances()) as [string];
  ops = await logIn(operator.token);
});
afterAll(async () => {
  await hand.stop();
  await vhost.drop();
});

async function send(path: string, cookie: string, form?: Form): Promise<Response> {
  const headers = { cookie, origin: new URL(hand.rota.page!).origin };
  const posted = form === undefined ? {} : { method: 'POST', body: new URLSearchParams(form) };
  return fetch(`${hand.rota.page}${path}`, { headers, redirect: 'manual', ...posted });
}

type Form = Readonly<Record<string, string>>;

async function logIn(token: string): Promise<string> {
  const { headers } = await send('/login', '', { token });
  return headers.getSetCookie()[0]!.split(';')[0]!;
}

const get = async (path: string, cookie = ops) => (await send(path, cookie)).text();

/** As it is read: without tags, with single spaces. */
const textOf = (page: string) => page.replaceAll(/<[^>]*>/g, ' ').replaceAll(/\s+/g, ' ');

/** Section by its id. */
const partOf = (page: string, id: string) =>
  new RegExp(`<section id="${id}">(.*?)</section>`, 's').exec(page)?.[1] ?? '';

/** Hidden fields of the confirmation. */
function asked(page: string): Form {
  const fields = [...page.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g)];
  return Object.fromEntries(fields.map(([, name, value]) => [name!, value!]));
}

/** Presses the button, confirms where that is asked, and reads what the next page says of it. */
async function act(
  action: string,
  form: Form,
  typed?: string,
): Promise<{ confirmation: string; says: string; to: string }> {
  let answer = await send(`/do/${action}`, ops, form);
  let confirmation = '';
  if (answer.status === 200) {
    confirmation = await answer.text();
    const fields = { ...form, ...asked(partOf(confirmation, 'confirm')), ...(typed === undefined ? {} : { typed }) };
    answer = await send(`/do/${action}`, ops, fields);
  }
  expect(answer.status, confirmation).toBe(303);
  const notice = answer.headers
    .getSetCookie()
    .find((cookie) => cookie.startsWith('rota_notice_'))!
    .split(';')[0]!;
  const to = answer.headers.get('location')!;
  const page = await get(to, `${ops}; ${notice}`);
  return { confirmation: textOf(confirmation), to, says: textOf(/<div class="notice.*?<\/div>/s.exec(page)![0]) };
}

const actorOf = async (name: string) => {
  const { actors } = await hand.client.ctl<{ actors: ActorView[] }>('status');
  return actors.find((actor) => actor.name === name)!;
};

const imageTask = (oci_image: string, input_ooi: string) => {
  return { organisation: 'acme', data: { boefje: { id: 'nmap', oci_image }, input_ooi, organization: 'acme' } };
};

test('workers, and images that are asked for and not queued, or queued and not asked for, are shown and listed', async () => {
  await hand.client.push('boefje', imageTask('openkat/nmap', 'Hostname|internet|a'));
  await hand.client.push('boefje', imageTask('openkat/dns', 'Hostname|internet|b'));
  const filter = { column: 'data', field: 'boefje__oci_image', operator: 'eq' as const, value: 'openkat/dns' };
  const worker = `w-17 ${markup}`;
  const popped = await hand.client.pop('boefje', { worker, filters: { filters: [filter] }, lease_ms: 60_000 });
  expect(popped).toHaveLength(1);

  interface Workers {
    readonly results: readonly WorkerView[];
    readonly images: readonly { image: string; queued: number; asked_at: string | null }[];
  }
  // What was asked for is written every two seconds.
  const listed = await vi.waitUntil(
    async () => {
      const found = await hand.json<Workers>(['workers']);
      return found.images.some(({ image }) => image === 'openkat/dns') ? found : null;
    },
    { timeout: 60_000 },
  );
  expect(listed.results).toMatchObject([{ worker, via: 'nats', scheduler: 'boefje', holds: 1 }]);
  expect(listed.images).toMatchObject([
    { image: 'openkat/nmap', queued: 1, asked_at: null },
    { image: 'openkat/dns', queued: 0, asked_at: expect.any(String) },
  ]);
  expect((await hand.run(['workers'])).stdout).toMatch(/openkat\/nmap +1 +0 +\S+ +not within a week/);

  const page = await get('/machinery');
  expect(page).not.toContain('<img');
  const shown = textOf(partOf(page, 'workers'));
  expect(shown).toMatch(/w-17.* nats boefje 1 0/);
  expect(shown).toMatch(
    /nobody asks for it .*openkat\/nmap boefje 1 .* Asked for, and nothing of it is queued .*openkat\/dns boefje 0/,
  );
});

test('an actor is restarted and killed after a question that says what stops, and its trouble is told', async () => {
  const ready = next('actor.started', ({ actor }) => actor === 'report');
  const restarted = await act('restart-actor', { instance, actor: 'report' });
  expect(restarted.confirmation).toContain('Its events wait meanwhile');
  expect(restarted.says).toContain(`report on ${instance}: restarted.`);
  await ready;

  const wrong = await send('/do/kill-actor', ops, { instance, actor: 'report', typed: 'reprot' });
  expect(textOf(await wrong.text())).toContain('that was something else');
  const again = next('actor.started', ({ actor }) => actor === 'report');
  expect((await act('kill-actor', { instance, actor: 'report' }, 'report')).says).toContain('killed');
  await again;
  const { results } = await hand.client.ctl<{ results: IncidentView[] }>('incidents');
  expect(results[0]).toMatchObject({ about: 'actor report', happened: 'started' });
  expect(results.at(-1)).toMatchObject({ about: 'supervisor', happened: 'started' });
  expect(textOf(partOf(await get('/'), 'trouble'))).toMatch(/actor report ✔ started.*actor report ✖ stopped/);
});

test('the level of an actor’s log is set and put back', async () => {
  const set = await act('log-level', { instance, actor: 'boefje', level: 'debug', before: 'info' });
  expect(set).toMatchObject({ confirmation: '', says: expect.stringContaining('logs at debug') });
  expect((await actorOf('boefje')).thread?.log_level).toBe('debug');
  await act('log-level', { instance, actor: 'boefje', level: 'info', before: 'debug' });
  expect((await actorOf('boefje')).thread?.log_level).toBe('info');
  const bad = await act('log-level', { instance, actor: 'boefje', level: 'loud' });
  expect(bad.says).toContain('level');
});

test('a queue is ranked anew, due schedules and enabled boefjes are looked for', async () => {
  const { confirmation, says, to } = await act('rerank', { scheduler: 'boefje', queued: '1' });
  expect(confirmation).toContain('Every queued task');
  expect(says).toContain('Rank boefje anew: begun');
  const [job] = /\/jobs\/[0-9a-f-]{36}/.exec(to)!;
  const wall = await logIn(reader.token);
  await expect
    .poll(async () => textOf(partOf(await get(job, wall), 'progress')))
    .toMatch(/done: Rank boefje anew .*1 of 1 The/);
  expect(partOf(await get(job, wall), 'progress')).not.toContain('<form');
  expect((await act('reschedule', { instance, actor: 'boefje' })).says).toContain('looks for due schedules');
  expect((await act('look', { instance, actor: 'boefje' })).says).toContain('looks for boefjes');
});

test('who would be next with another ranker is shown where a new ranking is asked about, and nothing is done by that', async () => {
  const report = (organisation: string, n: number) => ({
    organisation,
    data: { organisation_id: organisation, report_recipe_id: `00000000-0000-4000-8000-00000000000${n}` },
  });
  await hand.client.push(
    'report',
    [0, 1, 2, 3].map((n) => report('crowd', n)),
  );
  await hand.client.push('report', [report(markup, 4), report(markup, 5)]);
  const ask = async (form: Form) =>
    partOf(
      await (await send('/do/rerank', ops, { scheduler: 'report', back: '/machinery', ...form })).text(),
      'confirm',
    );
  const question = await ask({});
  expect(textOf(question)).toMatch(/Whose the next 3 tasks are.* crowd 3 3 1 1 All 6 tasks that may be popped/);
  expect(textOf(question)).toContain('Rank anew');
  expect(question).toMatch(/<select name="ranker">.*<option ?>fair-share<\/option>/s);
  const preview = await ask({ ranker: 'fair-share' });
  expect(preview).not.toContain('<img');
  expect(textOf(preview)).toMatch(/crowd 3 2 1 1 /);
  expect(textOf(preview)).toMatch(/onerror=alert\(1\)&gt; 0 1 – 2 /);
  expect(textOf(preview)).toMatch(/for this order set SCHEDULER_REPORT_RANKER=fair-share.* Back/);
  // What cannot be previewed is no question about the scheduler's own ranker.
  const unknown = await ask({ ranker: 'none' });
  expect(textOf(unknown)).toContain('ranker: there is no none');
  for (const shown of [preview, unknown]) expect(shown).not.toContain('name="seal"');
  const { results } = await hand.client.ctl<{ results: AuditView[] }>('audit', {});
  expect(results.filter(({ command, fields }) => command === 'rerank' && fields['scheduler'] === 'report')).toEqual([]);
});

test('the only supervisor is drained with its name typed, and after one was told that the page goes too', async () => {
  const { confirmation, says } = await act('drain', { instance }, instance);
  expect(confirmation).toContain('this page goes too');
  // Here it is the test's process, which it does not end.
  expect(says).toContain('is not its process');
});

test('events that were given up are shown, whatever is in them, tried again, and dropped', async () => {
  const connection = new Connection(vhost.url);
  const publisher = connection.createPublisher({ confirm: true });
  const mark = randomUUID();
  const body = { mark, hostile: `${markup}\u202E`, environment: { KEY: 'hidden-value' } };
  await publisher.send('raw_file_received', Buffer.from(JSON.stringify(body)));
  await publisher.send('raw_file_received', Buffer.from('no JSON'));
  const letters = async () =>
    (await hand.client.ctl<{ results: { id: string; body: unknown }[] }>('dead-letters')).results;
  await expect.poll(async () => (await letters()).length, { timeout: 60_000 }).toBe(2);
  await publisher.close();
  await connection.close();

  const page = await vi.waitUntil(
    async () => {
      const found = await get('/machinery');
      return found.includes(mark) ? found : null;
    },
    { timeout: 30_000, interval: 500 },
  );
  expect(page).not.toContain('<img');
  expect(page).not.toContain('\u202E');
  expect(page).not.toContain('hidden-value');
  expect(partOf(page, 'letters')).toMatch(/<summary>Show body<\/summary>/);
  expect(partOf(page, 'letters')).toContain('/why?raw_file=');
  expect(textOf(partOf(await get('/'), 'verdict'))).toMatch(/raw_file_received 2 given up/);

  const id = (await letters()).find((letter) => typeof letter.body === 'object')!.id;
  expect((await act('requeue-letters', { ids: id })).says).toContain('1 event is tried again');
  await expect.poll(async () => (await letters()).map((letter) => letter.id), { timeout: 60_000 }).not.toContain(id);
  await expect.poll(async () => (await letters()).length, { timeout: 60_000 }).toBe(2);
  const dropped = await act('drop-letters', { stream: 'raw_file_received', count: '2' }, 'drop');
  expect(dropped.confirmation).toContain('Removed for good');
  expect(dropped.says).toContain('2 events are dropped');
  expect(await letters()).toEqual([]);
});

test('who may only look sees all of it, without a button, and does nothing', async () => {
  const wall = await logIn(reader.token);
  const page = await get('/machinery', wall);
  expect(textOf(page)).toMatch(/boefje .*✔ running.*SCHEDULER_API_TOKENS/);
  expect(partOf(page, 'actors')).not.toContain('<form');
  expect(page).not.toContain(operator.line);
  const forms: Readonly<Record<string, Form>> = {
    'restart-actor': { instance, actor: 'boefje' },
    'kill-actor': { instance, actor: 'boefje' },
    heap: { instance, actor: 'boefje' },
    'log-level': { instance, actor: 'boefje', level: 'debug' },
    look: { instance, actor: 'boefje' },
    reschedule: { instance, actor: 'boefje' },
    drain: { instance },
    rerank: { scheduler: 'boefje' },
    'requeue-letters': { stream: 'raw_file_received' },
    'drop-letters': { stream: 'raw_file_received' },
  };
  for (const [action, form] of Object.entries(forms)) {
    expect((await send(`/do/${action}`, wall, form)).status, action).toBe(403);
  }
});

test('supervisors are told apart', async () => {
  const other = await hand.another();
  // Others are searched for every ten seconds.
  await expect
    .poll(async () => partOf(await get('/machinery'), 'supervisors').match(/✔/g)?.length, { timeout: 30_000 })
    .toBe(2);
  await other.drain();
});
