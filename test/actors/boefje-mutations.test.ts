import { describe, expect, test } from 'vitest';
import boefjeScheduler from '../../actors/boefje/behavior.ts';
import type { ScanProfileMutated } from '../../src/protocol/events.ts';
import type { LatestTask } from '../../src/protocol/requests.ts';
import { boefjeHash } from '../../src/tasks/data.ts';
import type { TaskStatus } from '../../src/tasks/task.ts';
import { deliver, outcomeOf } from '../support/deliveries.ts';
import { boefje, hostname, outageOf } from '../support/kat-ports.ts';
import { hour, noon, Ports } from '../support/ports.ts';

const ooi = hostname('a.example').primaryKey;

function mutated(fields: Partial<ScanProfileMutated> = {}): ScanProfileMutated {
  return {
    kind: 'scan-profile-mutated',
    operation: 'update',
    organisation: 'aa',
    primaryKey: ooi,
    objectType: 'Hostname',
    scanLevel: 2,
    ...fields,
  };
}

const deleted = mutated({ operation: 'delete', objectType: null, scanLevel: null });

function latestTask(status: TaskStatus, modifiedAt: number): LatestTask {
  const hash = boefjeHash({ boefjeId: 'dns', inputOoi: ooi, organisation: 'aa' });
  return { hash, id: 'earlier', status, createdAt: modifiedAt, modifiedAt };
}

function ports(...plugins: ReturnType<typeof boefje>[]): Ports {
  const it = new Ports('boefje');
  it.organisations = { aa: { plugins: plugins.length > 0 ? plugins : [boefje('dns')] } };
  return it;
}

function send(it: Ports, ...messages: ScanProfileMutated[]) {
  return deliver(boefjeScheduler.start(it.setup)['scan-profile-mutated'], ...messages);
}

describe('a scan profile mutation', () => {
  test('queues every enabled boefje that consumes the type and that the clearance allows', async () => {
    const it = ports(
      boefje('dns'),
      boefje('nmap', { scanLevel: 2 }),
      boefje('masscan', { scanLevel: 3 }),
      boefje('off', { enabled: false }),
      boefje('ip', { consumes: ['IPAddressV4'] }),
    );
    await send(it, mutated());
    expect(it.pairs).toEqual([`dns aa ${ooi}`, `nmap aa ${ooi}`]);
    expect(it.reasons).toEqual(['scan-level-too-low', 'boefje-disabled']);
  });

  test('leaves the recurrence to the push unless the boefje has a cron or an interval', async () => {
    const it = ports(boefje('dns'), boefje('cron', { cron: '0 3 * * *' }), boefje('often', { interval: 30 }));
    it.settings = { gracePeriodSeconds: 86_400, jitterSeconds: 0 };
    await send(it, mutated());
    expect(it.pushed.map((task) => task.recurrence)).toEqual([
      'default',
      { schedule: '0 3 * * *', deadlineAt: '2026-03-03T03:00:00.000Z', inherited: true },
      { schedule: null, deadlineAt: '2026-03-02T12:30:00.000Z', inherited: false, byInterval: true },
    ]);
  });

  test('run_on boefjes run on their operations alone and make no schedule', async () => {
    const it = ports(boefje('on-create', { runOn: ['create'] }), boefje('on-update', { runOn: ['update'] }));
    await send(it, mutated({ operation: 'create' }));
    expect(it.pushed.map((task) => task.recurrence)).toEqual(['none']);
    expect(it.pairs).toEqual([`on-create aa ${ooi}`]);
    expect(it.reasons).toEqual(['no-run-on']);
  });

  test('an empty run_on is none: the boefje has a schedule', async () => {
    const it = ports(boefje('dns', { runOn: [] }));
    await send(it, mutated());
    expect(it.pushed.map((task) => task.recurrence)).toEqual(['default']);
  });

  test('lessons 0.1: a cancelled latest task does not block the pair, nor start a grace period', async () => {
    const it = ports();
    it.latest = [latestTask('cancelled', noon - hour)];
    await send(it, mutated());
    expect(it.pairs).toEqual([`dns aa ${ooi}`]);
  });

  test('a cancelled task does not hide the run before it: Bytes says when that was', async () => {
    const it = ports();
    it.latest = [latestTask('cancelled', noon - hour)];
    it.runs = [{ organisation: 'aa', boefje: 'dns', inputOoi: ooi, run: { endedAt: noon - 2 * hour } }];
    await send(it, mutated());
    expect(it.reasons).toEqual(['grace-period']);
  });

  test('a failed task counts for the grace period as a completed one does', async () => {
    for (const status of ['failed', 'completed'] as const) {
      const it = ports();
      it.latest = [latestTask(status, noon - 23 * hour)];
      await send(it, mutated());
      expect(it.reasons).toEqual(['grace-period']);
      it.latest = [latestTask(status, noon - 24 * hour)];
      await send(it, mutated());
      expect(it.pushed.map((task) => task.lastRunAt)).toEqual([noon - 24 * hour]);
    }
  });

  test("the boefje's interval takes the place of the grace period", async () => {
    const it = ports(boefje('dns', { interval: 60 }));
    it.latest = [latestTask('completed', noon - hour)];
    await send(it, mutated());
    expect(it.pairs).toHaveLength(1);
  });

  test('Bytes is asked only where our own table has no run', async () => {
    const it = ports(boefje('dns'), boefje('nmap'));
    it.latest = [latestTask('completed', noon - 48 * hour)];
    await send(it, mutated());
    expect(it.asked.filter(({ name }) => name === 'lastRun').map(({ request }) => request)).toEqual([
      { organisation: 'aa', boefje: 'nmap', inputOoi: ooi },
    ]);
  });

  test('lessons 0.4: a delete cancels and disables what belongs to the OOI of that organisation', async () => {
    const it = ports();
    await send(it, deleted);
    expect(it.requests('forget-oois')).toEqual([{ oois: [{ organisation: 'aa', ooi }] }]);
    expect(it.pushed).toEqual([]);
  });

  test('lessons 1: a clearance that allows something again brings back what was disabled for it', async () => {
    const it = ports();
    await send(it, mutated());
    expect(it.requests('enable-schedules')).toEqual([
      { oois: [{ organisation: 'aa', ooi }], reasons: ['scan-level-too-low', 'ooi-gone'] },
    ]);
    // Enabling makes them due now: the push after it gives the pair its next deadline.
    const names = it.asked.map(({ name }) => name);
    expect(names.indexOf('enable-schedules')).toBeLessThan(names.indexOf('push-tasks'));
  });

  test('nothing is pushed before schedules are back, while histories are asked for', async () => {
    const it = ports();
    it.outage = (name) => {
      if (name === 'enable-schedules') throw outageOf('database');
    };
    expect((await send(it, mutated())).map(outcomeOf)).toEqual(['SERVICE_UNAVAILABLE']);
    expect(it.times('latest-tasks')).toBe(1);
    expect(it.pushed).toEqual([]);
  });
});

describe('a batch of mutations', () => {
  test('asks Katalogus once and pushes once for 1 000 objects × 10 boefjes', async () => {
    const it = ports(...Array.from({ length: 10 }, (_, at) => boefje(`boefje-${at}`)));
    const messages = Array.from({ length: 1000 }, (_, at) =>
      mutated({ primaryKey: hostname(`${at}.example`).primaryKey }),
    );
    await send(it, ...messages);
    expect(it.pushed).toHaveLength(10_000);
    for (const name of ['plugins', 'latest-tasks', 'push-tasks', 'enable-schedules']) expect(it.times(name)).toBe(1);
  });

  test('brings back the schedules of every organisation by one request', async () => {
    const it = ports();
    const organisations = Array.from({ length: 200 }, (_, at) => `org-${at}`);
    for (const organisation of organisations) it.organisations[organisation] = it.organisations['aa']!;
    await send(it, ...organisations.map((organisation) => mutated({ organisation })));
    expect(it.requests('enable-schedules')).toEqual([
      { oois: organisations.map((organisation) => ({ organisation, ooi })), reasons: expect.any(Array) },
    ]);
  });

  test('a delete after an update forgets; an update after a delete schedules', async () => {
    const forgets = ports();
    await send(forgets, mutated(), deleted);
    expect([forgets.pushed.length, forgets.times('forget-oois')]).toEqual([0, 1]);
    const schedules = ports();
    await send(schedules, deleted, mutated());
    expect([schedules.pushed.length, schedules.times('forget-oois')]).toEqual([1, 0]);
  });

  test('an update does not hide the create before it from run_on boefjes', async () => {
    const it = ports(boefje('on-create', { runOn: ['create'] }));
    await send(it, mutated({ operation: 'create', scanLevel: 0 }), mutated());
    expect(it.pairs).toEqual([`on-create aa ${ooi}`]);
  });

  test('lessons 0.8: an outage in one organisation holds up that one alone, and not its deletes', async () => {
    const it = ports();
    it.organisations = { ...it.organisations, bb: { plugins: [boefje('dns')] } };
    it.outage = (name, organisation) => {
      if (name === 'plugins' && organisation === 'aa') throw outageOf('katalogus');
    };
    const gone = mutated({ operation: 'delete', primaryKey: 'Hostname|internet|gone' });
    const outcomes = await send(it, mutated(), gone, mutated({ organisation: 'bb' }));
    expect(outcomes.map(outcomeOf)).toEqual(['SERVICE_UNAVAILABLE', 'done', 'done']);
    expect(it.pairs).toEqual([`dns bb ${ooi}`]);
  });

  test('an outage of Bytes fails the undecided mutation with all that was folded into it, and pushes the rest', async () => {
    const it = ports();
    it.latest = [latestTask('completed', noon - 48 * hour)];
    it.outage = (name) => {
      if (name === 'lastRun') throw outageOf('bytes');
    };
    const other = hostname('b.example').primaryKey;
    const outcomes = await send(
      it,
      mutated({ operation: 'create', primaryKey: other }),
      mutated({ primaryKey: other }),
      mutated(),
    );
    expect(outcomes.map(outcomeOf)).toEqual(['SERVICE_UNAVAILABLE', 'SERVICE_UNAVAILABLE', 'done']);
    expect(it.pairs).toEqual([`dns aa ${ooi}`]);
  });

  test('a full queue holds the event back instead of losing it', async () => {
    const it = ports();
    it.refusePush = () => 'queue-full';
    expect((await send(it, mutated())).map(outcomeOf)).toEqual(['QUEUE_FULL']);
  });

  test('a broken ranker counts an attempt of the event', async () => {
    const it = ports();
    it.refusePush = () => 'rank-failed';
    expect((await send(it, mutated())).map(outcomeOf)).toEqual(['RANK_FAILED']);
  });

  test('a task that the queue takes for malformed fails its event, not as retryable', async () => {
    const it = ports();
    it.failPush = () => ({ code: 'BAD_REQUEST', message: 'malformed item', retryable: false });
    expect((await send(it, mutated())).map(outcomeOf)).toEqual(['BAD_REQUEST']);
  });

  test('a supervisor that cannot answer fails the batch as retryable; a bug is thrown', async () => {
    const it = ports();
    it.outage = (name) => {
      if (name === 'latest-tasks') throw outageOf('database');
    };
    expect((await send(it, mutated())).map(outcomeOf)).toEqual(['SERVICE_UNAVAILABLE']);
    it.outage = () => {
      throw new TypeError('a bug');
    };
    await expect(send(it, mutated())).rejects.toThrow('a bug');
  });
});
