import { expect, test } from 'vitest';
import { findingsOf, situationOf } from '../../src/control/findings.ts';
import { incidentsOf, type OperatorClient, type Overview } from '../../src/control/overview.ts';
import { mismatchOf } from '../../src/control/workers.ts';
import type { ActorView, AskedImage, Examination, Finding, SchedulerView } from '../../src/protocol/operator-status.ts';
import type { PauseView } from '../../src/protocol/operator.ts';

const service = { service: 'octopoes', circuit: 'open', open_since: '2026-03-02T12:00:00.000Z', in_flight: 0 };
const actor = (circuit: 'open' | 'closed'): ActorView => {
  const services = circuit === 'open' ? [{ ...service, last_error: 'octopoes answered 503' }] : [];
  const mailbox = { depth: 0, oldest_ms: 0 };
  const thread = { heap_bytes: 1, loop_p99_ms: 1, log_level: 'info', mailbox, lanes: [], streams: [], services };
  return { name: 'boefje', phase: 'running', restarts: 0, retry_at: null, last_failure: null, thread };
};

function overview(circuit: 'open' | 'closed', over: Partial<Overview> = {}): Overview {
  const supervisors = ['one', 'two'].map((instance) => ({
    instance,
    version: '0.1.0',
    started_at: '2026-03-02T11:00:00Z',
    pid: 1,
    rss_bytes: 1,
    loop_p99_ms: 1,
    actors: [actor(instance === 'one' ? circuit : 'closed')],
  }));
  return { supervisors, schedulers: [], sources: [], unanswered: [], unknown: [], ...over };
}

const found = (about: string, finding: string, level: Finding['level'] = 'warning'): Finding => {
  return { level, about, finding, advice: level === 'fine' ? null : 'mend it' };
};
const examined = (instance: string, ...findings: readonly Finding[]): Examination => {
  return { instance, version: '0.1.0', node: 'v26', findings };
};
const pause: PauseView = {
  scheduler: 'boefje',
  organisation: 'acme',
  boefje: null,
  paused_by: 'ops-1',
  note: 'migration',
  since: '2026-03-02T09:12:00Z',
};
const texts = (findings: readonly Finding[]) =>
  findings.map(({ level, about, finding }) => `${level} ${about}: ${finding}`);

test('what the doctor finds beside the overview is said, each problem once, and nothing of what is fine', () => {
  const circuit = found('actor boefje', 'octopoes is out (circuit open): octopoes answered 503');
  const events = found('events', 'rabbitmq:raw_file_received: 2 were given up');
  const schema = found('schema', 'not applied: 0031_audit', 'problem');
  const disk = found('disk', '12 MB are free in /tmp');
  const fine = found('clock', 'within 1 ms', 'fine');
  const all = [circuit, events, schema, fine, disk];
  expect(
    texts(findingsOf(overview('open'), { examined: [examined('one', ...all), examined('two', schema, fine)] })),
  ).toEqual([
    'problem octopoes of boefje on one: circuit open since 2026-03-02 12:00:00 UTC: octopoes answered 503',
    'problem schema: not applied: 0031_audit',
    'warning disk on one: 12 MB are free in /tmp',
  ]);
});

test('a database that is out is said by each supervisor that misses it, and not by its examination again', () => {
  const unknown = [{ instance: 'one', part: 'database', why: 'refused' }];
  const examinations = [examined('one', found('database', 'refused', 'problem'))];
  expect(texts(findingsOf(overview('closed', { unknown }), { examined: examinations }))).toEqual([
    'problem supervisor one: cannot tell about the database: refused',
  ]);
});

test('a pause is a warning with who made it and why; what stands for a whole minute is a problem before it', () => {
  const flow = {
    held: 0,
    held_is_least: false,
    leased: 0,
    oldest_seconds: 90,
    schedule_lag_seconds: 0,
    per_second: null,
  };
  const asked = { estimated_empty_at: null, asked_at: null, out_seconds_ago: null, waiters: 0, lately: null };
  const stands: SchedulerView = { id: 'boefje', queued: 3, ...flow, ...asked, in_per_second: 0, out_per_second: 0 };
  const looked = overview('closed', { schedulers: [stands] });
  const findings = findingsOf(looked, { pauses: [pause] });
  expect(texts(findings)).toEqual([
    'problem boefje: stands: nobody asks for its tasks',
    'warning boefje, acme, every boefje: paused by ops-1 since 2026-03-02 09:12:00 UTC: “migration”',
  ]);
  expect(findings[1]).toMatchObject({ pause });
  // A pause of all of it is said once, and is no fault of its workers.
  const whole = { ...pause, organisation: null };
  expect(texts(findingsOf(looked, { pauses: [whole] }))).toMatchObject([expect.stringContaining('paused by ops-1')]);
});

test('what cannot be told in an outage is left out, and the rest is told', async () => {
  const down = new Error('refused');
  const { supervisors } = overview('closed');
  const unknown = [{ part: 'database', why: 'refused' }];
  const client = {
    ask: async (name: string) => {
      if (name !== 'status') throw down;
      return { ...supervisors[0]!, schedulers: [], sources: [], unknown };
    },
  } as unknown as OperatorClient;
  const { findings, pauses } = await situationOf(client, ['one']);
  expect(pauses).toEqual([]);
  expect(texts(findings)).toEqual(['problem supervisor one: cannot tell about the database: refused']);
  await expect(situationOf({ ask: () => Promise.reject(down) }, ['one'])).rejects.toThrow('refused');
});

test('incidents of all supervisors that answer are one list, newest first, since the latest start', async () => {
  const incident = (at: string) => ({ at, about: 'actor boefje', happened: 'stopped', why: null });
  const told: Readonly<Record<string, object>> = {
    one: {
      instance: 'one',
      since: '2026-03-02T08:00:00Z',
      results: [incident('2026-03-02T12:00:00Z'), incident('2026-03-02T10:00:00Z')],
    },
    two: { instance: 'two', since: '2026-03-02T09:00:00Z', results: [incident('2026-03-02T11:00:00Z')] },
  };
  const ask = async (_name: string, _body: unknown, instance: string) =>
    told[instance] ?? Promise.reject(new Error('gone'));
  const { since, results } = await incidentsOf({ ask } as unknown as OperatorClient, ['one', 'two', 'three']);
  expect(since).toBe('2026-03-02T09:00:00Z');
  expect(results.map(({ instance, at }) => `${instance} ${at.slice(11, 13)}`)).toEqual(['one 12', 'two 11', 'one 10']);
});

test('what waits for an image that no pop asks for is told, unless one takes any or a pause holds it', () => {
  const now = Date.parse('2026-03-02T12:00:00Z');
  const image = (name: string, over: Partial<AskedImage>): AskedImage => {
    const nothing = { asked_at: null, queued: 0, queued_is_least: false, held: 0, oldest_seconds: null };
    return { scheduler: 'boefje', image: name, ...nothing, ...over };
  };
  const images = [
    image('asked', { queued: 1, asked_at: '2026-03-02T11:59:00Z' }),
    image('forgotten', { queued: 1, asked_at: '2026-03-02T11:00:00Z' }),
    image('never', { queued: 1 }),
    image('held', { queued: 2, held: 2 }),
    image('gone', { asked_at: '2026-03-02T11:59:00Z' }),
    image('old', { asked_at: '2026-03-02T11:00:00Z' }),
  ];
  const names = ({ askedNotQueued, queuedNotAsked }: ReturnType<typeof mismatchOf>) => [
    askedNotQueued.map((it) => it.image),
    queuedNotAsked.map((it) => it.image),
  ];
  const any = (asked_at: string | null) => [{ scheduler: 'boefje', asked_at }];
  expect(names(mismatchOf({ any_image: any(null), images }, now))).toEqual([['gone'], ['forgotten', 'never']]);
  expect(names(mismatchOf({ any_image: any('2026-03-02T11:58:00Z'), images }, now))).toEqual([['gone'], []]);
});
