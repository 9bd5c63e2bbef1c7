import { afterEach, expect, test } from 'vitest';
import { newToken, readTokens, type TokenRole, tokenRoles } from '../../src/api-tokens.ts';
import { accessOf } from '../../src/rest/access.ts';
import { logToLines } from '../support/lines.ts';
import { openAccess, serve, type Served, taskId } from './double.ts';

let served: Served;

afterEach(() => served.server.close());

const given = Object.fromEntries(tokenRoles.map((role) => [role, newToken(`a-${role}`, role)])) as Record<
  TokenRole,
  ReturnType<typeof newToken>
>;
const tokens = readTokens({ SCHEDULER_API_TOKENS: tokenRoles.map((role) => given[role].line).join(',') });

async function statusOf(operation: string, token: string | null, body?: unknown): Promise<number> {
  const [method, url] = operation.split(' ') as [string, string];
  const path = url.replace(':scheduler_id', 'boefje').replace(/:\w+_id/, taskId);
  const response = await fetch(served.url + path, {
    method,
    redirect: 'manual',
    headers: {
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  await response.text();
  return response.status;
}

const served200 = ['GET /health', 'GET /ready', 'GET /login', 'POST /login'];

test('every route asks for its role, and takes every higher one', async () => {
  served = await serve({ access: { ...openAccess, tokens } });
  for (const [operation, access] of Object.entries(accessOf)) {
    if (operation.includes('*')) continue;
    const needed: TokenRole = access === 'open' || access === 'document' ? 'read' : access;
    const [none, wrong] = [await statusOf(operation, null), await statusOf(operation, 'wrong')];
    // A form that nothing was written into is refused as a wrong token is.
    if (access === 'open' && operation !== 'POST /login')
      expect([operation, none, wrong]).toEqual([operation, 200, 200]);
    else expect([operation, none, wrong]).toEqual([operation, 401, 401]);
    if (access === 'open') continue;
    for (const role of tokenRoles) {
      const status = await statusOf(operation, given[role].token);
      const allowed = tokenRoles.indexOf(role) >= tokenRoles.indexOf(needed);
      expect([operation, role, status === 403 || status === 401]).toEqual([operation, role, !allowed]);
    }
  }
  expect(Object.keys(accessOf)).toEqual(expect.arrayContaining(served200));
});

test('the table has no route that is not served', async () => {
  served = await serve({ access: { ...openAccess, tokens } });
  for (const operation of Object.keys(accessOf)) {
    const [method, path] = operation
      .replace('*', 'index.css')
      .replace(':scheduler_id', 'boefje')
      .replace(/:\w+/, taskId)
      .split(' ');
    const headers = { authorization: `Bearer ${given.operate.token}` };
    const response = await fetch(served.url + path, { method: method!, headers, redirect: 'manual' });
    const isUnknown = response.status === 405 || (await response.text()) === '{"detail":"Not Found"}';
    expect([operation, isUnknown]).toEqual([operation, false]);
  }
});

test('an unknown path reveals nothing to a client without a token', async () => {
  served = await serve({ access: { ...openAccess, tokens } });
  expect(await statusOf('GET /nope', null)).toBe(401);
  expect(await statusOf('GET /nope', given.read.token)).toBe(404);
  expect(await statusOf('DELETE /tasks', null)).toBe(401);
  expect(await statusOf('GET /tasks/', null)).toBe(401);
});

test('a runner reports on what is handed out, and changes nothing else of a task', async () => {
  served = await serve({ access: { ...openAccess, tokens } });
  const patch = async (role: TokenRole, was: string, body: object) => {
    served.queue.task = JSON.stringify({ id: taskId, status: was });
    return statusOf('PATCH /tasks/:task_id', given[role].token, body);
  };
  for (const status of ['running', 'completed', 'failed', 'queued']) {
    expect(await patch('work', 'dispatched', { status })).toBe(200);
    expect(await patch('work', 'running', { status })).toBe(200);
    expect(await patch('work', 'queued', { status })).toBe(403);
    expect(await patch('operate', 'queued', { status })).toBe(200);
  }
  const others = [
    { status: 'cancelled' },
    { status: 'pending' },
    { status: 'dispatched' },
    { priority: 1 },
    { organisation: 'bb' },
    { status: 'completed', data: {} },
  ];
  for (const body of others) {
    expect(await patch('work', 'running', body)).toBe(403);
    expect(await patch('operate', 'running', body)).toBe(200);
  }
  // Over is over: a retry is an operator's, a late report is the queue's to refuse.
  expect(await patch('work', 'failed', { status: 'queued' })).toBe(403);
  expect(await patch('work', 'cancelled', { status: 'completed' })).toBe(200);
});

test('the audit log names the caller, and no line contains a token', async () => {
  const { log, lines } = logToLines({ format: 'json', debug: true });
  served = await serve({ access: { ...openAccess, tokens }, log });
  served.queue.task = JSON.stringify({ id: taskId, status: 'running' });
  await statusOf('PATCH /tasks/:task_id', given.operate.token, { status: 'cancelled' });
  await statusOf('GET /tasks', 'a-wrong-one');
  const audit = lines.map((line) => JSON.parse(line) as Record<string, unknown>).filter(({ audit: it }) => it);
  expect(audit).toMatchObject([{ audit: 'cancel', by: 'a-operate', task_id: taskId }]);
  const all = lines.join('\n');
  for (const secret of [...tokenRoles.map((role) => given[role].token), 'a-wrong-one', 'sha256']) {
    expect(all).not.toContain(secret);
  }
});

test('a token with spaces and signs works', async () => {
  const token = 'correct horse, battery\'s "staple" = 1';
  served = await serve({ access: { ...openAccess, tokens: readTokens({ SCHEDULER_API_TOKEN: token }) } });
  expect(await statusOf('GET /tasks', token)).toBe(200);
  expect(await statusOf('GET /tasks', ` ${token} `)).toBe(200);
  expect(await statusOf('GET /tasks', token.slice(0, -1))).toBe(401);
  expect(await statusOf('GET /tasks', `${token} ${'x'.repeat(10_000)}`)).toBe(401);
});

test.each([
  ['127.0.0.1', [], 'info', /open to any client that is on this machine/],
  ['0.0.0.0', [], 'warning', /open to any client that reaches this address: .*SCHEDULER_API_TOKENS_FILE/],
  ['0.0.0.0', tokens, 'info', /REST asks for a token/],
] as const)('at the start it logs which clients have access: %s with %j', async (listens, configured, level, says) => {
  const { log, lines } = logToLines({ format: 'json', debug: true });
  served = await serve({ access: { ...openAccess, listens, tokens: configured }, log });
  const told = lines.filter((line) => line.includes('REST asks'));
  expect(told).toEqual([expect.stringMatching(says)]);
  expect(JSON.parse(told[0]!)).toMatchObject({ level, address: expect.stringMatching(/^http:/) as string });
});
