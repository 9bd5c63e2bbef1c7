import { afterAll, beforeAll, expect, inject, onTestFinished, test } from 'vitest';
import { newToken, readTokens } from '../../src/api-tokens.ts';
import { openAccess } from '../rest/double.ts';
import { runCli } from '../support/cli.ts';
import { logToLines } from '../support/lines.ts';
import { type RestOnPostgres, serveOnPostgres } from '../support/rest.ts';
import { openHouse } from '../support/rota.ts';

const [operator, worker, reader] = (['operate', 'work', 'read'] as const).map((role) =>
  newToken(`a-${role}`, role),
) as [ReturnType<typeof newToken>, ReturnType<typeof newToken>, ReturnType<typeof newToken>];
const tokens = readTokens({ SCHEDULER_API_TOKENS: [operator, worker, reader].map(({ line }) => line).join(',') });
const { log, lines } = logToLines({ format: 'json', debug: true });

let rest: RestOnPostgres;

beforeAll(async () => {
  rest = await serveOnPostgres({ access: { ...openAccess, tokens }, log });
});
afterAll(() => rest.stop());

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** @param body JSON text as it goes over the wire, or what is written as JSON. */
async function ask(method: string, path: string, body?: unknown, token = operator.token): Promise<Answer> {
  const given = typeof body === 'string' ? body : JSON.stringify(body);
  const response = await fetch(rest.url + path, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(given === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(given === undefined ? {} : { body: given }),
  });
  return { status: response.status, body: await response.json() };
}

const audited = () =>
  lines.map((line) => JSON.parse(line) as Record<string, unknown>).filter(({ audit }) => audit !== undefined);

const weights = async () => {
  const { body } = await ask('GET', '/weights');
  return (body as { results: unknown[] }).results;
};

test('a weight is set, changed, listed and unset, and the log has who did it', async () => {
  const acme = '/weights/boefje/acme';
  expect(await ask('PUT', acme, { weight: 2 })).toEqual({ status: 200, body: { weight: 2, before: 1 } });
  expect(await ask('PUT', acme, { weight: 0.5 })).toEqual({ status: 200, body: { weight: 0.5, before: 2 } });
  await ask('PUT', '/weights/normalizer/acme', { weight: 1_000 });
  expect(await ask('GET', '/weights')).toEqual({
    status: 200,
    body: {
      count: 2,
      next: null,
      previous: null,
      results: [
        { scheduler: 'boefje', organisation: 'acme', weight: 0.5 },
        { scheduler: 'normalizer', organisation: 'acme', weight: 1_000 },
      ],
    },
  });
  expect(await ask('DELETE', acme)).toEqual({ status: 200, body: { weight: 1, before: 0.5 } });
  expect(await ask('DELETE', acme)).toEqual({ status: 200, body: { weight: 1, before: 1 } });
  await ask('DELETE', '/weights/normalizer/acme');
  expect(await weights()).toEqual([]);
  const boefje = { audit: 'set-weight', by: 'a-operate', scheduler_id: 'boefje', organisation_id: 'acme' };
  expect(audited()).toMatchObject([
    { ...boefje, weight: 2, before: 1, from: '127.0.0.1' },
    { ...boefje, weight: 0.5, before: 2 },
    { ...boefje, scheduler_id: 'normalizer', weight: 1_000 },
    { ...boefje, weight: 1, before: 0.5 },
    { ...boefje, weight: 1, before: 1 },
    { ...boefje, scheduler_id: 'normalizer', weight: 1 },
  ]);
});

test('unsetting what was never set leaves no row behind', async () => {
  const answer = await ask('DELETE', '/weights/boefje/never-set');
  expect(answer).toEqual({ status: 200, body: { weight: 1, before: 1 } });
  expect(await rest.sql`SELECT FROM fairness WHERE organisation = 'never-set'`).toHaveLength(0);
});

test('a list has a thousand at most, and says where it goes on', async () => {
  await rest.sql`INSERT INTO fairness (scheduler, organisation, weight)
    SELECT 'boefje', 'many-' || lpad(n::text, 5, '0'), 3 FROM generate_series(1, 1200) AS n`;
  onTestFinished(async () => void (await rest.sql`DELETE FROM fairness WHERE organisation LIKE 'many-%'`));
  const { body } = await ask('GET', '/weights?limit=5000');
  const page = body as { count: number; next: string; results: { organisation: string }[] };
  expect(page).toMatchObject({ count: 1_200, results: { length: 1_000, 0: { organisation: 'many-00001' } } });
  const { body: rest2 } = await ask('GET', page.next.slice(rest.url.length));
  expect(rest2).toMatchObject({
    count: 1_200,
    next: null,
    results: { length: 200, 199: { organisation: 'many-01200' } },
  });
});

test('setting and unsetting need the role operate, listing needs read', async () => {
  for (const { token } of [reader, worker]) {
    expect(await ask('GET', '/weights', undefined, token)).toMatchObject({ status: 200 });
    expect(await ask('PUT', '/weights/boefje/acme', { weight: 2 }, token)).toMatchObject({ status: 403 });
    expect(await ask('DELETE', '/weights/boefje/acme', undefined, token)).toMatchObject({ status: 403 });
  }
  expect(await ask('PUT', '/weights/boefje/acme', { weight: 2 }, 'none')).toMatchObject({ status: 401 });
  expect(await weights()).toEqual([]);
});

const fault = (type: string, ...loc: (string | number)[]) => ({ status: 422, body: { detail: [{ type, loc }] } });
const inBody = (type: string) => fault(type, 'body', 'weight');

test.each<[string, string, unknown, object]>([
  ['no body', 'boefje/acme', undefined, fault('missing', 'body')],
  ['null', 'boefje/acme', 'null', fault('missing', 'body')],
  ['no weight', 'boefje/acme', {}, inBody('missing')],
  ['a list', 'boefje/acme', [2], { status: 422 }],
  ['NaN, which is no JSON', 'boefje/acme', '{"weight": NaN}', fault('json_invalid', 'body', 15)],
  ['the text NaN', 'boefje/acme', { weight: 'NaN' }, inBody('float_type')],
  ['a number in a text', 'boefje/acme', { weight: '2' }, inBody('float_type')],
  ['a boolean', 'boefje/acme', { weight: true }, inBody('float_type')],
  ['null as the weight', 'boefje/acme', { weight: null }, inBody('float_type')],
  ['an object', 'boefje/acme', { weight: { valueOf: 2 } }, inBody('float_type')],
  ['0', 'boefje/acme', { weight: 0 }, inBody('greater_than_equal')],
  ['-0', 'boefje/acme', '{"weight": -0}', inBody('greater_than_equal')],
  ['below a thousandth', 'boefje/acme', { weight: 0.000_9 }, inBody('greater_than_equal')],
  ['1001', 'boefje/acme', { weight: 1_001 }, inBody('less_than_equal')],
  ['more than a double holds', 'boefje/acme', '{"weight": 1e999}', inBody('less_than_equal')],
  ['an unknown key', 'boefje/acme', { weight: 2, by: 'me' }, fault('extra_forbidden', 'body', 'by')],
  ['__proto__', 'boefje/acme', '{"__proto__": {"weight": 2}}', { status: 422 }],
  ['a scheduler that there is not', 'nope/acme', { weight: 2 }, { status: 404, body: { detail: /no scheduler nope/ } }],
  ['no organisation', 'boefje/', { weight: 2 }, { status: 404 }],
  ['a long organisation', `boefje/${'x'.repeat(513)}`, { weight: 2 }, fault('string_too_long', 'path', 'organisation')],
  ['too many bytes', `boefje/${'%C3%A9'.repeat(257)}`, { weight: 2 }, fault('string_too_long', 'path', 'organisation')],
  ['a longer one', `boefje/${'x'.repeat(1_500)}`, { weight: 2 }, { status: 414 }],
  ['a path of more than 2 000', `boefje/${'x'.repeat(2_500)}`, { weight: 2 }, { status: 414 }],
  ['a NUL in the organisation', 'boefje/a%00b', { weight: 2 }, fault('value_error', 'path', 'organisation')],
  ['a NUL in the scheduler', 'boe%00fje/acme', { weight: 2 }, { status: 404 }],
  ['what is no UTF-8', 'boefje/%ff', { weight: 2 }, { status: 400 }],
])('a weight is refused, says what is wrong, and is not set: %s', async (_what, path, body, expected) => {
  const entries = audited().length;
  const answer = await ask('PUT', `/weights/${path}`, body);
  const { body: told, status } = expected as { body?: { detail?: unknown }; status: number };
  expect(answer).toMatchObject({ status });
  if (told?.detail instanceof RegExp) expect((answer.body as { detail: string }).detail).toMatch(told.detail);
  else expect(answer).toMatchObject(expected);
  expect(await weights()).toEqual([]);
  expect(audited()).toHaveLength(entries);
});

test.each(['nope/acme', `boefje/${'x'.repeat(513)}`, 'boefje/a%00b'])(
  'unsetting %s is refused as setting is',
  async (path) => {
    const { status } = await ask('PUT', `/weights/${path}`, { weight: 2 });
    expect(await ask('DELETE', `/weights/${path}`)).toMatchObject({ status });
  },
);

test('names of 512 bytes, with slashes, quotes and signs of other scripts are kept as they are', async () => {
  for (const name of [
    'x'.repeat(512),
    'é'.repeat(256),
    'a/b',
    `'; DROP TABLE fairness; --`,
    '"%_\\',
    '😀',
    '__proto__',
  ]) {
    const path = `/weights/boefje/${encodeURIComponent(name)}`;
    expect(await ask('PUT', path, { weight: 2 })).toMatchObject({ status: 200 });
    expect(await weights()).toEqual([{ scheduler: 'boefje', organisation: name, weight: 2 }]);
    expect(await ask('DELETE', path)).toMatchObject({ status: 200, body: { before: 2 } });
  }
});

test('over NATS and over REST operators see and change the same weights', async () => {
  const house = await openHouse();
  onTestFinished(() => house.stop());
  const rota = await house.start();
  const both = { scheduler: 'boefje', organisation: 'acme' };
  expect(await rota.ask('PUT', '/weights/boefje/acme', { weight: 4 })).toMatchObject({ status: 200 });
  expect(await house.client.ctl('weights', {})).toEqual({ count: 1, results: [{ ...both, weight: 4 }] });
  expect(await house.client.ctl('set-weight', { ...both, weight: 8 })).toEqual({ weight: 8, before: 4 });
  expect(await rota.ask('GET', '/weights')).toMatchObject({ body: { results: [{ ...both, weight: 8 }] } });
  expect(await rota.ask('DELETE', '/weights/boefje/acme')).toMatchObject({ body: { weight: 1, before: 8 } });
  await expect(house.client.ctl('set-weight', { ...both, organisation: 'a\0b', weight: 2 })).rejects.toThrow(
    /organisation: .*NUL/,
  );
  // One message of NATS has 200 of them.
  await house.sql`INSERT INTO fairness (scheduler, organisation, weight)
    SELECT 'boefje', 'many-' || lpad(n::text, 5, '0'), 3 FROM generate_series(1, 450) AS n`;
  expect(await house.client.ctl('weights', { offset: 400 })).toMatchObject({ count: 450, results: { length: 50 } });
  const env = { NATS_URL: inject('natsUrl'), SCHEDULER_NATS_PREFIX: house.prefix };
  const { stdout } = await runCli(['weights', 'list', '--json'], { env });
  const listed = (JSON.parse(stdout) as { results: { organisation: string }[] }).results;
  expect(new Set(listed.map(({ organisation }) => organisation)).size).toBe(450);
});
