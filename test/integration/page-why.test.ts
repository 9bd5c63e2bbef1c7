import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { newToken } from '../../src/api-tokens.ts';
import type { AuditView } from '../../src/protocol/operator-status.ts';
import { boefjeRun, rawFileReceived } from '../../src/simulator/events.ts';
import type { SimulatedObject } from '../../src/simulator/world.ts';
import { next } from '../../src/telemetry/events.ts';
import { addOrganisation, boefje, hostname, normalizer } from '../support/kat-world.ts';
import { type House, openHouse, type TestRota } from '../support/rota.ts';

// A service that hangs is waited for: 3 s at a first look, 8 at a second.
vi.setConfig({ testTimeout: 60_000 });

const [operator, reader] = [newToken('ops-1', 'operate'), newToken('wall', 'read')];

let house: House;
let rota: TestRota;
let [asOperator, asReader] = ['', ''];

beforeAll(async () => {
  house = await openHouse();
  const tokens = [operator.line, reader.line].join(',');
  rota = await house.start({ environment: { SCHEDULER_API_TOKENS: tokens, SCHEDULER_PAGE_PORT: '0' } });
  [asOperator, asReader] = await Promise.all([logIn(operator.token), logIn(reader.token)]);
});
afterAll(() => house.stop());

const host = hostname('example.nl');

async function send(path: string, cookie: string, form?: Readonly<Record<string, string>>): Promise<Response> {
  const posted = { method: 'POST', body: new URLSearchParams(form) };
  const headers = { cookie, origin: new URL(rota.page!).origin };
  return fetch(`${rota.page}${path}`, { headers, redirect: 'manual', ...(form === undefined ? {} : posted) });
}

async function logIn(token: string): Promise<string> {
  const answer = await send('/login', '', { token });
  return answer.headers.getSetCookie()[0]!.split(';')[0]!;
}

const addressOf = (asked: Readonly<Record<string, string>>) => `/why?${new URLSearchParams(asked).toString()}`;

async function look(asked: Readonly<Record<string, string>>, cookie = asOperator): Promise<string> {
  const answer = await send(addressOf(asked), cookie);
  expect(answer.status).toBe(200);
  return answer.text();
}

/** As it is read: without tags, with single spaces. */
const textOf = (page: string) =>
  page
    .replaceAll(/<\/?(?:a|bdi|code|data|span|time)\b[^>]*>/g, '')
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/\s+/g, ' ');
const verdictIn = (page: string) => textOf(/<section id="verdict">.*?<\/section>/s.exec(page)![0]);
const gatesIn = (page: string) => textOf(/<section id="gates">.*?<\/section>/s.exec(page)![0]);

/** The first button's form of an action. */
function formOf(page: string, action: string): Record<string, string> {
  const form = new RegExp(`<form method="post" action="/do/${action}">.*?</form>`, 's').exec(page)![0];
  const fields = form.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g);
  return Object.fromEntries(
    [...fields].map(([, name, value]) => [name!, value!.replaceAll('&amp;', '&').replaceAll('&quot;', '"')]),
  );
}

async function queued(fields: Parameters<typeof boefje>[1] = {}, object: SimulatedObject = host) {
  const { id: organisation } = addOrganisation(house.world, { plugins: [boefje('dns', fields)], objects: [object] });
  const told = next('tasks.queued');
  await house.mutate(organisation, object);
  await told;
  return { organisation, boefje: 'dns', ooi: object.reference };
}

/** A boefje that has run. */
async function finished() {
  const asked = await queued();
  const [task] = (await house.client.pop('boefje', { limit: 50, worker: 'w-17' })).filter(
    ({ organisation }) => organisation === asked.organisation,
  );
  return {
    asked,
    end: () => house.client.patch({ id: task!.id, lease_id: task!.lease_id, status: 'completed' }),
    task: task!,
  };
}

test('without a question the page says what to ask; half a question and an unknown id are told at the place', async () => {
  const page = await look({});
  expect(verdictIn(page)).toContain('Name an organisation and a boefje');
  expect(verdictIn(await look({ organisation: 'acme' }))).toContain('boefje: name it, too');
  const id = randomUUID();
  expect(verdictIn(await look({ id }))).toContain(`there is neither a task nor a schedule ${id}`);
  expect(verdictIn(await look({ id: 'x' }))).toContain('id: ');
  expect(verdictIn(await look({ raw_file: '{' }))).toContain('raw file: expected the event of Bytes');
});

test('the fields offer the organisations and boefjes that are known', async () => {
  const { organisation } = await queued();
  // The names are those of counts, which are kept a second later.
  await expect.poll(() => look({}), { timeout: 10_000 }).toContain(`<option value="${organisation}">`);
  const page = await look({});
  expect(page).toContain('<option value="dns">');
});

test('what is queued, held and handed out is said as such, and a pause is ended where it is seen', async () => {
  const { asked, end, task } = await finished();
  expect(verdictIn(await look(asked))).toContain('It is with worker w-17, which has not reported yet that it runs.');
  expect(verdictIn(await look({ id: task.id }))).toContain('worker w-17');
  await end();
  await house.client.ctl('change-tasks', { action: 'retry', ids: [task.id] });
  await house.client.ctl('pause', { scheduler: 'boefje', organisation: asked.organisation, note: 'migration' });
  const held = await look(asked);
  expect(verdictIn(held)).toMatch(/Queued, paused since .* by an unknown operator\. Why: migration Do: resume it/);
  expect(gatesIn(held)).toContain(`Paused boefje, ${asked.organisation}, every boefje`);
  expect(await look(asked, asReader)).not.toContain('/do/');
  const resumed = await send('/do/resume', asOperator, formOf(held, 'resume'));
  expect(resumed.headers.get('location')).toBe(addressOf(asked));
  expect(verdictIn(await look(asked))).toMatch(/Queued since/);
  expect(verdictIn(await look(asked))).not.toContain('would not be queued');
});

test('what KAT refuses has its reason and its deed, and no button; an OOI that is not there is said to be so', async () => {
  const { id: organisation } = addOrganisation(house.world, {
    plugins: [boefje('dns', { scan_level: 3 })],
    objects: [host],
  });
  const uncleared = await look({ organisation, boefje: 'dns', ooi: host.reference });
  expect(verdictIn(uncleared)).toMatch(
    /its clearance is too low\. .*level 2; the boefje needs 3 scan-level-too-low .*Do: raise/,
  );
  expect(gatesIn(uncleared)).toMatch(/clearance ✖ no/);
  expect(uncleared).not.toContain('/do/run-now');
  const gone = verdictIn(await look({ organisation, boefje: 'dns', ooi: 'Hostname|internet|absent.nl' }));
  expect(gone).toMatch(
    /Octopoes does not know the OOI in this organisation\. .*ooi-gone .*Do: check the whole reference/,
  );
  expect(verdictIn(await look({ organisation, boefje: 'absent', ooi: host.reference }))).toContain('boefje-gone');
});

test('what only waits for its time is queued by hand, once, complete and audited; a reader cannot', async () => {
  const { asked, end } = await finished();
  await end();
  const waits = await look(asked);
  expect(verdictIn(waits)).toMatch(
    /It waits for its time: it ran less than its grace period ago; its schedule is due .*grace-period/,
  );
  const form = formOf(waits, 'run-now');
  expect((await send('/do/run-now', asReader, form)).status).toBe(403);
  const confirmation = await (await send('/do/run-now', asOperator, form)).text();
  expect(textOf(confirmation)).toContain('Queue it now?');
  expect(textOf(confirmation)).toContain('priority 1');
  // Nothing has happened yet.
  expect(verdictIn(await look(asked))).toContain('It waits for its time');
  const done = await send('/do/run-now', asOperator, formOf(confirmation, 'run-now'));
  expect(done.headers.get('location')).toBe(addressOf(asked));
  expect(verdictIn(await look(asked))).toContain('Queued since');
  const tasks = await house.sql<{ priority: number; data: { boefje: object } }[]>`
    SELECT priority, data FROM tasks WHERE organisation = ${asked.organisation} AND status = 'QUEUED'`;
  const image = house.world.organisations.get(asked.organisation)!.plugins.get('dns')!;
  expect(tasks).toMatchObject([
    { priority: 1, data: { boefje: { id: 'dns', oci_image: 'oci_image' in image && image.oci_image } } },
  ]);
  const { results } = await house.client.ctl<{ results: AuditView[] }>('audit', { organisation: asked.organisation });
  expect(results).toMatchObject([{ command: 'run-now', by: 'ops-1', fields: { scheduler: 'boefje', plugin: 'dns' } }]);
  await expect(house.client.ctl('run-now', asked)).rejects.toMatchObject({
    code: 'CONFLICT',
    message: expect.stringContaining('already-queued'),
  });
});

test('the command decides anew: what was offered is refused once consent has ended', async () => {
  const { asked, end } = await finished();
  await end();
  const form = formOf(await look(asked), 'run-now');
  const confirmation = await (await send('/do/run-now', asOperator, form)).text();
  house.world.organisations.get(asked.organisation)!.objects.set(host.reference, hostname('example.nl', 0));
  const refused = await send('/do/run-now', asOperator, formOf(confirmation, 'run-now'));
  const notice = refused.headers.getSetCookie().find((cookie) => cookie.startsWith('rota_notice_'))!;
  const shown = await (await send(addressOf(asked), `${asOperator}; ${notice.split(';')[0]}`)).text();
  expect(textOf(shown)).toContain('not queued: scan-level-too-low');
  await expect(house.client.ctl('run-now', asked)).rejects.toMatchObject({ code: 'CONFLICT' });
});

test('a raw file is explained, and queued for the normalizer that is named', async () => {
  const { id: organisation } = addOrganisation(house.world, {
    plugins: [boefje('dns'), normalizer('dns-parse', { consumes: ['boefje/dns'] })],
  });
  const run = boefjeRun({ boefje: 'dns', inputOoi: host.reference, organisation, tookMs: 10 });
  const raw_file = JSON.stringify(rawFileReceived(randomUUID(), run, ['boefje/dns']), null, 2);
  const whole = await look({ raw_file });
  expect(verdictIn(whole)).toContain('Nothing is in its way');
  expect(whole).not.toContain('/do/run-now');
  const asked = { raw_file, normalizer: 'dns-parse' };
  const confirmation = await (await send('/do/run-now', asOperator, formOf(await look(asked), 'run-now'))).text();
  await send('/do/run-now', asOperator, formOf(confirmation, 'run-now'));
  expect(verdictIn(await look(asked))).toContain('Queued since');
});

test('while a service hangs the page answers with what is known, and offers to wait longer', async () => {
  const asked = await queued();
  await house.client.ctl('pause', { scheduler: 'boefje', organisation: asked.organisation });
  const gone = { ...asked, ooi: 'Hostname|internet|other.nl' };
  house.kat.outage('octopoes', 'hang');
  try {
    const began = performance.now();
    const page = await look(gone);
    expect(performance.now() - began).toBeLessThan(9_000);
    expect(verdictIn(page)).toMatch(/It cannot be told .* does not answer\. .*Ask again, and wait up to 8 s/);
    expect(gatesIn(page)).toContain(`Paused boefje, ${asked.organisation}`);
    expect(gatesIn(page)).toContain('4 Asked for');
    expect(verdictIn(await look(asked))).toContain('Queued, paused since');
  } finally {
    house.kat.outage('octopoes', 'none');
  }
});

test('an OOI full of markup and control characters harms nothing', async () => {
  const name = `"><img src=x onerror=alert(1)>\u202e\u0007</textarea>`;
  const asked = await queued({}, hostname(name));
  for (const page of [await look(asked), await look({ ...asked, ooi: `${asked.ooi}x` })]) {
    for (const raw of ['<img', '\u202e', '\u0007', name]) expect(page).not.toContain(raw);
    expect(page).toContain('&lt;img src=x onerror=alert(1)&gt;');
  }
});
