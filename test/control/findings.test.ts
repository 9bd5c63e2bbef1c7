import { expect, test } from 'vitest';
import { findingsOf, situationOf } from '../../src/control/findings.ts';
import { incidentsOf, natsIsLost, type OperatorClient, type Overview } from '../../src/control/overview.ts';
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
    'problem schema: not applied: 0031_audit',
    'problem octopoes: circuit open for boefje on one since 2026-03-02 12:00:00 UTC: octopoes answered 503',
    'warning disk on one: 12 MB are free in /tmp',
  ]);
});

test('a database that is out is said by each supervisor that misses it, and not by its examination again', () => {
  const unknown = [{ instance: 'one', part: 'database', why: 'refused' }];
  const examinations = [examined('one', found('database', 'refused', 'problem'))];
  expect(texts(findingsOf(overview('closed', { unknown }), { examined: examinations }))).toEqual([
    'problem database: does not answer one: refused',
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
  expect(texts(findings)).toEqual([
    'problem database: does not answer: refused',
    'warning doctor: did not examine one: BROKEN: refused',
    'warning pauses: are unknown: refused',
  ]);
  await expect(situationOf({ ask: () => Promise.reject(down) }, ['one'])).rejects.toThrow('refused');
});

const four = (of: (instance: string) => readonly ActorView[] = () => [], over: Partial<Overview> = {}): Overview => {
  const base = overview('closed').supervisors[0]!;
  const supervisors = ['a', 'b', 'c', 'd'].map((instance) => ({ ...base, instance, actors: of(instance) }));
  return { ...overview('closed'), supervisors, ...over };
};

test('NATS away: it is said first and once, without the silence of others and of JetStream that follows from it', () => {
  const [own] = four().supervisors;
  const unanswered = ['b', 'c', 'd'].map((instance) => ({ instance, why: `SERVICE_UNAVAILABLE: ${natsIsLost}` }));
  const source = { stream: 'raw_file_received', waiting: null, retrying: null, dead: null, full: null } as const;
  const sources = [{ ...source, source: 'jetstream:raw_file_received', error: 'no answer' }];
  const events = { stream: 'raw_file_received', connected: false, in_hand: 0, done: 0, retried: 0, dead_lettered: 0 };
  const idle = actor('closed');
  const cut = { ...idle, thread: { ...idle.thread!, streams: [{ ...events, last_error: 'closed' }] } };
  const looked = overview('closed', { supervisors: [{ ...own!, actors: [cut] }], unanswered, sources });
  const nats = found('nats', 'not connected', 'problem');
  expect(texts(findingsOf(looked, { examined: [examined('a', nats)], pauses: [pause] }))).toEqual([
    'problem nats: not connected: no pop over NATS is answered; 3 other supervisors cannot be asked',
    expect.stringContaining('warning boefje, acme'),
  ]);
});

test('Octopoes away: one problem for all actors and supervisors, since the first of them noticed', () => {
  const open = (name: string): ActorView => {
    const { thread, ...rest } = actor('open');
    const services = thread!.services.map((it) => ({ ...it, open_since: `2026-03-02T12:0${name.length % 10}:00Z` }));
    return { ...rest, name, thread: { ...thread!, services } };
  };
  expect(texts(findingsOf(four(() => [open('boefje'), open('normalizer')])))).toEqual([
    'problem octopoes: circuit open for boefje, normalizer on all 4 supervisors since 2026-03-02 12:00:00 UTC: octopoes answered 503',
  ]);
});

test('the database away: one problem for all supervisors, before those that do not answer', () => {
  const unknown = ['a', 'b', 'c', 'd'].map((instance) => ({ instance, part: 'database', why: 'refused' }));
  const unanswered = ['e', 'f', 'g', 'h', 'i'].map((instance) => ({ instance, why: 'last answered 4m 0s ago' }));
  expect(texts(findingsOf(four(() => [], { unknown, unanswered })))).toEqual([
    'problem database: does not answer all 4 supervisors: refused',
    'problem supervisors e, f, g and 2 more: do not answer: last answered 4m 0s ago',
  ]);
});

test.each<[string, Partial<ActorView>, string[]]>([
  ['down', { phase: 'down', phase_seconds: 1 }, ['problem actor boefje: down']],
  ['restarting', { phase: 'restarting', phase_seconds: 1 }, ['warning actor boefje: restarting']],
  ['starting', { phase: 'starting', phase_seconds: 3 }, []],
  ['draining', { phase: 'draining', phase_seconds: 9 }, []],
  ['starting for long', { phase: 'starting', phase_seconds: 40 }, ['warning actor boefje: starting for 40s']],
  ['hung', { thread: null }, ['warning actor boefje: does not answer: its thread is busy, or hangs']],
])('an actor that is %s is a trouble where somebody should act', (_name, over, expected) => {
  const looked = overview('closed');
  const [one] = looked.supervisors;
  const supervisors = [{ ...one!, actors: [{ ...actor('closed'), ...over }] }];
  expect(texts(findingsOf({ ...looked, supervisors }))).toEqual(expected);
});

test('incidents come from the database; while it is away they are those that all supervisors remember, each once', async () => {
  const incident = (id: string, instance: string) => ({ id, instance, about: 'actor boefje', happened: 'stopped' });
  const kept = { results: [incident('b', 'one')], unknown: null };
  const away = 'the database does not answer';
  const one = { results: [incident('c', 'one'), incident('a', 'one')], unknown: away };
  const two = { results: [incident('b', 'two')], unknown: away };
  const known = (told: Readonly<Record<string, object>>) => {
    const ask = async (_name: string, _body: unknown, instance = 'any') =>
      told[instance] ?? Promise.reject(new Error('gone'));
    return incidentsOf({ ask } as unknown as OperatorClient, ['one', 'two', 'three'], {});
  };
  expect(await known({ any: kept })).toEqual({ ...kept, unanswered: [] });
  const remembered = await known({ any: one, one, two });
  expect(remembered.results.map(({ id, instance }) => `${id} ${instance}`)).toEqual(['c one', 'b two', 'a one']);
  expect(remembered).toMatchObject({ unknown: away, unanswered: [{ instance: 'three' }] });
  // One of them reaches it again.
  const mixed = await known({ any: one, one, two: { results: [incident('c', 'one')], unknown: null } });
  expect(mixed).toMatchObject({ unknown: null, results: [{ id: 'c' }, { id: 'a' }] });
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
