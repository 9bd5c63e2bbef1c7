import { randomUUID } from 'node:crypto';
import { connect, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { connectNats } from '../../../src/nats/connect.ts';
import { secret } from '../hostile.ts';
import { query } from '../stage.ts';
import { type Actor, unlessAnswered, unlessRefused } from './actor.ts';
import type { Row } from './row.ts';

/** Fits into a message of 1 MiB; an answer that repeats it does not. */
const big = 'k'.repeat(1_048_300);

async function pushed({ client, target }: Actor, data: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const ooi = `Hostname|internet|${randomUUID()}.nl`;
  const { organisation } = target;
  const whole = { boefje: { id: 'dns' }, input_ooi: ooi, organization: organisation, ...data };
  return (await client.push('boefje', { organisation, data: whole })).id;
}

/** Requests that are wrong in one way each. */
export const requestRows: readonly Row[] = [
  {
    name: 'unknown-key',
    heavy: true,
    about: 'one unknown key of 1 MB, on every subject of a worker and over REST',
    async play(actor) {
      const subjects = ['task.get', 'task.patch', 'task.heartbeat', 'pop.boefje', 'push.boefje', 'ctl.tasks'];
      const faults: (string | undefined)[] = [];
      for (const subject of subjects) faults.push(unlessRefused(await actor.ask(subject, { [big]: 1 }), subject));
      for (const path of ['/schedulers/boefje/push', '/schedules']) {
        faults.push(unlessRefused(await actor.rest('POST', path, { [big]: 1 }), path));
      }
      return faults;
    },
  },
  {
    name: 'many-faults',
    heavy: true,
    about: 'filters and sets of empty objects: 90 kB, 150 kB and 2 MB',
    async play(actor) {
      const faults: (string | undefined)[] = [];
      for (const count of [30_000, 50_000, 660_000]) {
        const filters = `{"filters":[${'{},'.repeat(count - 1)}{}]}`;
        for (const path of ['/tasks', '/schedules/search', '/schedulers/boefje/pop']) {
          faults.push(unlessRefused(await actor.rest('POST', path, filters), path));
        }
        if (count > 300_000) continue;
        faults.push(unlessRefused(await actor.ask('pop.boefje', `{"filters":${filters}}`), 'a pop'));
        faults.push(unlessRefused(await actor.ask('task.patch', filters.replace('filters', 'patches')), 'a patch'));
        faults.push(unlessRefused(await actor.ask('push.boefje', filters.replace('filters', 'tasks')), 'a push'));
      }
      return faults;
    },
  },
  {
    name: 'slashes',
    about: 'GET /x////…/x with 16 000 slashes, twenty at once',
    async play(actor) {
      const ready = actor.watchReady();
      const path = `/x${'/'.repeat(15_900)}x`;
      const answers = await Promise.all(Array.from({ length: 20 }, () => actor.rest('GET', path)));
      return [...answers.map((answer) => unlessRefused(answer, 'the path')), ready()];
    },
  },
  {
    name: 'reply-subjects',
    about: 'requests whose reply subject is not an inbox',
    async play({ target, nats }) {
      const { natsUrl, prefix } = target;
      const listener = await connectNats({ servers: natsUrl, name: 'fuzz-listener' });
      const heard = new Set<string>();
      const subjects = [
        '$JS.API.STREAM.PURGE',
        '$JS.API.STREAM.DELETE',
        `${prefix}.kat`,
        `${prefix}.event`,
        `${prefix}.wake`,
        'x',
      ];
      for (const subject of subjects) listener.subscribe(`${subject}.forged`, { callback: () => heard.add(subject) });
      await listener.flush();
      for (const reply of subjects.map((subject) => `${subject}.forged`)) {
        for (const asked of ['pop.report', 'task.get', 'ctl.status', 'ctl.nothing'])
          nats.publish(`${prefix}.${asked}`, '{}', { reply });
      }
      // Requests of one connection are taken up in order: what comes before this answer has been.
      await nats.request(`${prefix}.ctl.status`, '', { timeout: 14_000 });
      await delay(300);
      await listener.close();
      return [...heard].map((subject) => `published on ${subject}.…, which a request named as its inbox`);
    },
  },
  {
    name: 'prototype-group',
    about: '`__proto__` among the groups of a filter',
    async play(actor) {
      const filters = '{"filters":{"__proto__":[{"column":"organisation","operator":"==","value":"absent"}]}}';
      return [
        unlessRefused(await actor.rest('POST', '/tasks', filters), 'such a list'),
        unlessRefused(await actor.rest('POST', '/schedulers/report/pop', filters), 'such a pop'),
        unlessRefused(await actor.ask('pop.report', `{"filters":${filters}}`), 'such a pop over NATS'),
      ];
    },
  },
  {
    name: 'nested-environment',
    about: 'an environment within the data of a task, by push and PATCH, and of a schedule',
    once: true,
    async play(actor) {
      const boefje = { id: 'dns', environment: { KEY: secret } };
      const id = await pushed(actor, { boefje, environment: { KEY: secret } });
      const { organisation, databaseUrl } = actor.target;
      const data = { boefje, organization: organisation, input_ooi: `Hostname|internet|${randomUUID()}.nl` };
      const patched = await actor.rest('PATCH', `/tasks/${id}`, { data: { ...data, environment: secret } });
      const schedule = { scheduler_id: 'boefje', organisation, data, schedule: '0 0 * * *' };
      const scheduled = await actor.rest('POST', '/schedules', schedule);
      const [found] = await query<{ count: number }>(
        databaseUrl,
        `SELECT ((SELECT count(*) FROM tasks WHERE data::text LIKE $1) +
                 (SELECT count(*) FROM schedules WHERE data::text LIKE $1))::int AS count`,
        [`%${secret}%`],
      );
      return [
        ...[patched, scheduled].map((answer) =>
          answer.text.includes(secret) && answer.status < 400 ? 'a secret was answered' : undefined,
        ),
        found!.count > 0 ? `${found!.count} rows have a secret` : undefined,
      ];
    },
  },
  {
    name: 'cross-site',
    about: 'a text/plain POST, and one of a foreign Origin, as a browser sends them for another site',
    async play(actor) {
      const body = JSON.stringify({ filters: [] });
      const origin = 'http://elsewhere.example';
      const plain = { 'content-type': 'text/plain', origin };
      return [
        unlessRefused(await actor.rest('POST', '/schedulers/report/pop', body, plain), 'text/plain'),
        unlessRefused(await actor.rest('POST', '/schedulers/report/pop', body, { origin }), 'a foreign Origin'),
      ];
    },
  },
  {
    name: 'no-lease',
    about: 'a worker patches a task that it does not hold',
    async play(actor) {
      const id = await pushed(actor);
      const faults: (string | undefined)[] = [];
      for (const status of ['cancelled', 'completed', 'queued', 'running']) {
        faults.push(
          unlessRefused(await actor.ask('task.patch', { id, status }), `a patch to ${status} without a lease`),
        );
      }
      return faults;
    },
  },
  {
    name: 'terminal-escapes',
    about: 'an OOI with escapes of a terminal, in what operators print',
    once: true,
    async play(actor) {
      await pushed(actor, { input_ooi: 'Hostname|internet|\u001B]0;owned\u0007\u001B[2J\u009B31m.nl' });
      const faults: (string | undefined)[] = [];
      for (const args of [['tasks', 'list'], ['status'], ['pauses']]) {
        const printed = await actor.rota(args);
        const raw = ['\u001B]0;', '\u0007', '\u009B'].some((escape) => printed.includes(escape));
        faults.push(raw ? `rota ${args.join(' ')} prints the escapes` : undefined);
      }
      return faults;
    },
  },
  {
    name: 'tls-to-plain',
    about: '`tls://` to a server that speaks no TLS',
    once: true,
    async play(actor) {
      let heard = '';
      const server = createServer((socket) => {
        socket.on('data', (chunk) => (heard += chunk.toString('latin1')));
        socket.on('error', () => {});
        socket.write('INFO {"server_id":"x","version":"2.10.0","max_payload":1048576,"headers":true,"proto":1}\r\n');
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as { port: number };
      await actor.rota(['status'], { NATS_URL: `tls://rota:hunter2@127.0.0.1:${port}` });
      server.close();
      return [heard.includes('hunter2') ? 'the password went over the wire in clear' : undefined];
    },
  },
  {
    name: 'half-requests',
    about: '500 connections of HTTP and of NATS that never end their first line',
    once: true,
    async play(actor) {
      const { target } = actor;
      const [api, nats] = [new URL(target.api), new URL(target.natsUrl)];
      const sockets = Array.from({ length: 500 }, (_, at) => {
        const to = at % 2 === 0 ? api : nats;
        const socket = connect(Number(to.port), to.hostname, () => socket.write('POST /tasks HTT'));
        return socket.on('error', () => {});
      });
      await delay(4_000);
      const answer = await actor.rest('GET', '/ready');
      for (const socket of sockets) socket.destroy();
      return [unlessAnswered(answer)];
    },
  },
];
