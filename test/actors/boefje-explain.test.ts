import { describe, expect, test } from 'vitest';
import boefjeScheduler from '../../actors/boefje/behavior.ts';
import type { Ooi, Plugin } from '../../src/kat/kat.ts';
import type { Explanation } from '../../src/protocol/commands.ts';
import type { DueSchedule } from '../../src/protocol/requests.ts';
import { boefjeHash } from '../../src/tasks/data.ts';
import type { RefusalReason } from '../../src/tasks/refusal.ts';
import type { TaskStatus } from '../../src/tasks/task.ts';
import { deliver } from '../support/deliveries.ts';
import { boefje, hostname, outageOf } from '../support/kat-ports.ts';
import { hour, noon, Ports } from '../support/ports.ts';

interface Situation {
  readonly plugins?: readonly Plugin[] | null;
  readonly ooi?: Ooi;
  readonly objects?: readonly Ooi[];
  readonly status?: TaskStatus;
  /** In hours before noon, as Bytes knows it; null for one that goes on. */
  readonly ranAt?: number | null;
  readonly schedule?: Partial<DueSchedule>;
}

const ooi = hostname('a');
const hash = boefjeHash({ boefjeId: 'dns', inputOoi: ooi.primaryKey, organisation: 'aa' });
const data = { boefje: { id: 'dns' }, input_ooi: ooi.primaryKey, organization: 'aa' };

function portsIn(situation: Situation): Ports {
  const it = new Ports('boefje');
  const plugins = situation.plugins === undefined ? [boefje('dns')] : situation.plugins;
  if (plugins !== null) it.organisations = { aa: { plugins, objects: situation.objects ?? [situation.ooi ?? ooi] } };
  if (situation.status) {
    it.latest = [{ hash, id: 'earlier', status: situation.status, createdAt: noon, modifiedAt: noon }];
  }
  if (situation.ranAt !== undefined) {
    const endedAt = situation.ranAt === null ? null : noon - situation.ranAt * hour;
    it.runs = [{ organisation: 'aa', boefje: 'dns', inputOoi: ooi.primaryKey, run: { endedAt } }];
  }
  it.schedules = [
    {
      id: 's',
      version: 'v1',
      organisation: 'aa',
      hash,
      data,
      enabled: true,
      schedule: null,
      deadlineAt: noon - 1,
      ...situation.schedule,
    },
  ];
  return it;
}

async function explain(it: Ports, trigger: 'event' | 'schedule'): Promise<Explanation> {
  const schedule = trigger === 'schedule' ? it.schedules[0]! : null;
  const [delivery] = await deliver(boefjeScheduler.start(it.setup).explain, {
    kind: 'explain',
    organisation: 'aa',
    data,
    schedule,
    trigger,
    until: Infinity,
  });
  const { settled } = delivery!;
  if (settled === undefined || 'failure' in settled) throw new Error(JSON.stringify(settled));
  return settled.value as Explanation;
}

/** What the actor does in the same situation: the reason why not, or null. */
async function decide(it: Ports, trigger: 'event' | 'schedule', about: Ooi): Promise<RefusalReason | null> {
  const behavior = boefjeScheduler.start(it.setup);
  if (trigger === 'schedule') await deliver(behavior.reschedule, { kind: 'reschedule' });
  else {
    const mutation = { kind: 'scan-profile-mutated', operation: 'update', organisation: 'aa', ...about } as const;
    await deliver(behavior['scan-profile-mutated'], mutation);
  }
  return it.pushed.length > 0 ? null : (it.reasons[0] ?? null);
}

const reasonOf = ({ steps }: Explanation) => steps.find(({ outcome }) => outcome === 'refuses')?.reason ?? null;

const byEvent: Record<string, [RefusalReason | null, Situation]> = {
  nothing: [null, {}],
  'an organisation that is gone': ['organisation-gone', { plugins: null }],
  'a disabled boefje': ['boefje-disabled', { plugins: [boefje('dns', { enabled: false })] }],
  'an OOI without a scan profile': ['no-scan-profile', { ooi: hostname('a', null) }],
  'too little clearance': ['scan-level-too-low', { ooi: hostname('a', 0) }],
  'a boefje that runs on creation': ['no-run-on', { plugins: [boefje('dns', { runOn: ['create'] })] }],
  'a task that is queued': ['already-queued', { status: 'queued' }],
  'a task that runs': ['still-running', { status: 'running' }],
  'a task that ended within the grace period': ['grace-period', { status: 'completed' }],
  'a cancelled task': [null, { status: 'cancelled' }],
  'a run that only Bytes knows': ['grace-period', { ranAt: 1 }],
  'a run that goes on, as Bytes knows': ['still-running', { ranAt: null }],
  'a run of long ago': [null, { ranAt: 25 }],
  'a cron of the boefje that cannot be read': [null, { plugins: [boefje('dns', { cron: 'R 2 * * *' })] }],
  'the interval of the boefje, shorter than the grace period': [
    null,
    { plugins: [boefje('dns', { interval: 30 })], ranAt: 1 },
  ],
};

const bySchedule: Record<string, [RefusalReason | null, Situation]> = {
  nothing: [null, {}],
  'an organisation that is gone': ['organisation-gone', { plugins: null }],
  'a boefje that is gone': ['boefje-gone', { plugins: [] }],
  'a plug-in that is none': ['not-a-boefje', { plugins: [boefje('dns', { type: 'bit' })] }],
  'an OOI of another type': ['not-consumed', { plugins: [boefje('dns', { consumes: ['URL'] })] }],
  'an OOI that is gone': ['ooi-gone', { objects: [] }],
  'a boefje that runs on creation': ['no-run-on', { plugins: [boefje('dns', { runOn: ['create'] })] }],
  'a boefje that runs on creation and every day': [
    null,
    { plugins: [boefje('dns', { runOn: ['create'], cron: '0 12 * * *' })] },
  ],
  'a cron of the boefje that cannot be read': ['cron-unreadable', { plugins: [boefje('dns', { cron: 'R 2 * * *' })] }],
  'a cron of the schedule that cannot be read': ['cron-unreadable', { schedule: { schedule: 'R 2 * * *' } }],
  'a cron that cannot be read, for an OOI that is gone': [
    'cron-unreadable',
    { plugins: [boefje('dns', { cron: 'R 2 * * *' })], objects: [] },
  ],
  'an interval that this deadline was set by': [
    null,
    { plugins: [boefje('dns', { interval: 120 })], ranAt: 1.9, schedule: { byInterval: true } },
  ],
  'a run within the grace period': ['grace-period', { ranAt: 1 }],
  'a cron, whatever the grace period': [null, { plugins: [boefje('dns', { cron: '@hourly' })], ranAt: 1 }],
};

describe.each([
  ['event', byEvent],
  ['schedule', bySchedule],
] as const)('what is explained of an %s is what the actor then does', (trigger, situations) => {
  test.each(Object.entries(situations))('with %s', async (_name, [expected, situation]) => {
    const explained = reasonOf(await explain(portsIn(situation), trigger));
    expect(explained).toBe(expected);
    expect(await decide(portsIn(situation), trigger, situation.ooi ?? ooi)).toBe(explained);
  });
});

test('a cron that cannot be read is named with what is wrong, and a disabled schedule with its reason', async () => {
  const { steps } = await explain(
    portsIn({
      plugins: [boefje('dns', { cron: 'R 2 * * *' })],
      schedule: { enabled: false, disabledReason: 'cron-unreadable' },
    }),
    'schedule',
  );
  expect(steps.filter(({ reason }) => reason !== null)).toMatchObject([
    { rule: 'schedule', reason: 'schedule-disabled', fact: 'disabled: cron-unreadable' },
    { rule: 'recurrence', reason: 'cron-unreadable', fact: expect.stringContaining('R 2 * * *') as string },
  ]);
});

test('an explanation pushes, counts and settles nothing', async () => {
  const it = portsIn({ ooi: hostname('a', 0) });
  await explain(it, 'event');
  expect([it.pushed, it.refused]).toEqual([[], []]);
  expect(it.asked.map(({ name }) => name).toSorted()).toEqual([
    'lastRun',
    'latest-tasks',
    'objectsByReference',
    'organisations',
    'plugins',
  ]);
});

test.each([
  ['plugins', 'boefje'],
  ['objectsByReference', 'ooi'],
  ['lastRun', 'last run'],
])('an outage of %s leaves its step open and the rest is answered', async (name, rule) => {
  const it = portsIn({});
  it.outage = (asked) => {
    if (asked === name) throw outageOf(name);
  };
  const { steps } = await explain(it, 'event');
  expect(steps.filter(({ outcome }) => outcome === 'unanswered')).toEqual([
    { rule, outcome: 'unanswered', reason: null, fact: `${name} does not answer` },
  ]);
});

test('a due schedule is explained in the order in which the actor decides', async () => {
  const { steps } = await explain(
    portsIn({ plugins: [boefje('dns', { cron: 'R 2 * * *' })], ooi: hostname('a', 0) }),
    'schedule',
  );
  expect(steps.map(({ rule, outcome }) => `${rule} ${outcome}`)).toEqual([
    'schedule passes',
    'boefje passes',
    'plug-in passes',
    'enabled passes',
    'run on passes',
    'recurrence refuses',
    'ooi passes',
    'input passes',
    'scan profile passes',
    'clearance refuses',
    'latest task passes',
    'last run passes',
  ]);
});

test('steps are in the order in which the actor decides, each with its fact', async () => {
  const { steps, nextRunAt } = await explain(portsIn({ status: 'completed' }), 'event');
  expect(steps.map(({ rule, outcome, fact }) => [rule, outcome, fact])).toEqual([
    ['boefje', 'passes', 'Katalogus knows dns in aa'],
    ['plug-in', 'passes', 'dns is a boefje'],
    ['enabled', 'passes', 'dns is enabled in this organisation'],
    ['ooi', 'passes', 'Octopoes knows Hostname|internet|a'],
    ['input', 'passes', 'it consumes Hostname; the OOI is a Hostname'],
    ['scan profile', 'passes', 'the OOI has a scan profile'],
    ['clearance', 'passes', 'the OOI has level 2; the boefje needs 1'],
    ['run on', 'passes', 'it runs by time, not on operations'],
    [
      'latest task',
      'refuses',
      'task earlier is completed since 2026-03-02T12:00:00.000Z; the grace period ends 2026-03-03T12:00:00.000Z',
    ],
    ['last run', 'skipped', 'the latest task tells'],
  ]);
  expect(nextRunAt).toBe('2026-03-03T12:00:00.000Z');
});
