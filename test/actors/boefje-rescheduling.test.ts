import { describe, expect, test } from 'vitest';
import boefjeScheduler from '../../actors/boefje/behavior.ts';
import type { Plugin } from '../../src/kat/kat.ts';
import type { DueSchedule, LatestTask } from '../../src/protocol/requests.ts';
import { boefjeHash } from '../../src/tasks/hash.ts';
import { deliver, outcomeOf } from '../support/deliveries.ts';
import { boefje, hostname, outageOf, rejectionOf } from '../support/kat-ports.ts';
import { hour, noon, Ports } from '../support/ports.ts';

const object = hostname('a.example');
const ooi = object.primaryKey;
const day = 24 * hour;

function schedule(fields: Partial<DueSchedule> & { ooi?: string | null; boefje?: string } = {}): DueSchedule {
  const { ooi: inputOoi = ooi, boefje: boefjeId = 'dns', ...rest } = fields;
  const organisation = fields.organisation ?? 'aa';
  return {
    id: `${organisation} ${boefjeId} ${inputOoi}`,
    organisation,
    hash: boefjeHash({ boefjeId, inputOoi, organisation }),
    data: { boefje: { id: boefjeId }, input_ooi: inputOoi, organization: organisation },
    enabled: true,
    schedule: null,
    deadlineAt: noon - 1,
    ...rest,
  };
}

function ports(plugins: readonly Plugin[] = [boefje('dns')], ...schedules: DueSchedule[]): Ports {
  const it = new Ports('boefje');
  it.organisations = { aa: { plugins, objects: [object] } };
  it.schedules = schedules.length > 0 ? schedules : [schedule()];
  return it;
}

function tick(it: Ports) {
  return deliver(boefjeScheduler.start(it.setup).reschedule, { kind: 'reschedule' });
}

function latest(it: Ports, fields: Partial<LatestTask>): void {
  it.latest = it.schedules.map(({ hash }) => ({
    hash,
    id: 'earlier',
    status: 'completed',
    createdAt: noon - day,
    modifiedAt: noon - day,
    ...fields,
  }));
}

function settlements(it: Ports) {
  return it.requests('settle-schedules').flatMap(({ settlements }) => settlements);
}

describe('a due schedule', () => {
  test('is queued and moves to its next deadline', async () => {
    const it = ports();
    await tick(it);
    expect(it.pairs).toEqual([`dns aa ${ooi}`]);
    expect(it.schedules[0]!.deadlineAt).toBe(noon + day);
    expect(it.pushed[0]!.recurrence).toEqual({
      schedule: null,
      deadlineAt: new Date(noon + day).toISOString(),
      inherited: false,
    });
  });

  test('without an OOI is queued without asking Octopoes', async () => {
    const it = ports([boefje('dns')], schedule({ ooi: null }));
    await tick(it);
    expect(it.pairs).toEqual(['dns aa null']);
    expect(it.times('objectsByReference')).toBe(0);
  });

  test('whose cron decided that it is due runs within the grace period', async () => {
    const it = ports([boefje('dns', { cron: '0 12 * * *' })]);
    latest(it, { modifiedAt: noon - day + 5 * 60_000 });
    await tick(it);
    expect(it.pairs).toHaveLength(1);
  });

  test('within the grace period moves to its end, not a full period further', async () => {
    const it = ports();
    latest(it, { modifiedAt: noon - 23 * hour });
    await tick(it);
    expect(it.reasons).toEqual(['grace-period']);
    expect(it.schedules[0]!.deadlineAt).toBe(noon + hour);
  });

  test('whose latest task is not finished moves to its next deadline', async () => {
    for (const [status, reason] of [
      ['running', 'still-running'],
      ['queued', 'already-queued'],
    ] as const) {
      const it = ports();
      latest(it, { status });
      await tick(it);
      expect(it.reasons).toEqual([reason]);
      expect(it.schedules[0]!.deadlineAt).toBe(noon + day);
    }
  });

  test("lessons 0.7: loses the boefje's cron with the boefje's, and keeps its own", async () => {
    const it = ports(
      [boefje('dns'), boefje('nmap')],
      schedule({ schedule: '0 3 * * *', inherited: true }),
      schedule({ boefje: 'nmap', schedule: '0 5 * * *' }),
    );
    await tick(it);
    expect(it.schedules.map((it) => it.schedule)).toEqual([null, '0 5 * * *']);
  });

  test('of a boefje that runs on operations now is off the clock', async () => {
    const it = ports([boefje('dns', { runOn: ['create'] })]);
    await tick(it);
    expect([it.reasons, it.schedules[0]!.deadlineAt, it.schedules[0]!.enabled]).toEqual([['no-run-on'], null, true]);
  });

  test('lessons 1: is disabled with the reason it went for', async () => {
    const cases = [
      [ports([]), 'boefje-gone', 'boefje-gone'],
      [ports([boefje('dns', { enabled: false })]), 'boefje-disabled', 'boefje-disabled'],
      [ports([boefje('dns', { type: 'normalizer' })]), 'not-a-boefje', 'boefje-gone'],
      [ports([boefje('dns', { scanLevel: 4 })]), 'scan-level-too-low', 'scan-level-too-low'],
      [ports([boefje('dns')], schedule({ ooi: 'Hostname|internet|gone' })), 'ooi-gone', 'ooi-gone'],
      [ports([boefje('dns')], schedule({ organisation: 'gone' })), 'organisation-gone', 'organisation-gone'],
    ] as const;
    for (const [it, reason, disabled] of cases) {
      await tick(it);
      expect([it.reasons, settlements(it)]).toEqual([[reason], [{ id: it.schedules[0]!.id, disabled }]]);
    }
  });

  test('whose OOI is no longer consumed, or has no scan profile, moves on', async () => {
    const other = ports([boefje('dns', { consumes: ['IPAddressV4'] })]);
    const bare = ports();
    bare.organisations['aa'] = { plugins: [boefje('dns')], objects: [{ ...object, scanLevel: null }] };
    await tick(other);
    await tick(bare);
    expect([other.reasons, bare.reasons]).toEqual([['not-consumed'], ['no-scan-profile']]);
    expect([other, bare].map((it) => it.schedules[0]!.deadlineAt)).toEqual([noon + day, noon + day]);
  });

  test('whose data names no boefje is disabled and does not stop the others', async () => {
    const it = ports([boefje('dns')], schedule({ id: 'junk', data: { something: 'else' } }), schedule());
    await tick(it);
    expect(it.schedules.find(({ id }) => id === 'junk')!.enabled).toBe(false);
    expect(it.pairs).toHaveLength(1);
  });
});

describe('a tick', () => {
  test('lessons 0.6: goes on until nothing is due, and examines no schedule twice', async () => {
    const objects = Array.from({ length: 2500 }, (_, at) => hostname(`${at}.example`));
    const it = ports([boefje('dns')], ...objects.map(({ primaryKey }) => schedule({ ooi: primaryKey })));
    it.organisations['aa'] = { plugins: [boefje('dns')], objects };
    await tick(it);
    expect(it.pushed).toHaveLength(2500);
    expect(it.times('objectsByReference')).toBe(3);
    expect(settlements(it)).toHaveLength(2500);
    expect(it.schedules.every(({ deadlineAt }) => deadlineAt! > noon)).toBe(true);
  });

  test('lessons 0.8: settles nothing while Katalogus is out, asks once for each organisation, and queues all at the next tick', async () => {
    const organisations = Array.from({ length: 10 }, (_, at) => `org${at}`);
    const it = ports(
      [boefje('dns')],
      ...organisations.flatMap((organisation) =>
        Array.from({ length: 500 }, (_, at) => schedule({ organisation, ooi: `Hostname|internet|${at}` })),
      ),
    );
    for (const organisation of organisations) it.organisations[organisation] = { plugins: [boefje('dns')] };
    it.outage = (name) => {
      if (name === 'plugins') throw outageOf('katalogus');
    };
    expect((await tick(it)).map(outcomeOf)).toEqual(['done']);
    expect(it.times('plugins')).toBe(10);
    expect([it.times('settle-schedules'), it.pushed.length]).toEqual([0, 0]);
    it.outage = () => {};
    it.expireClaims();
    await tick(it);
    expect(settlements(it)).toHaveLength(5000);
  });

  test('stops when Bytes is out: three thousand schedules without an answer are enough', async () => {
    const objects = Array.from({ length: 5_000 }, (_, at) => hostname(`${at}.example`));
    const it = ports([boefje('dns')], ...objects.map(({ primaryKey }) => schedule({ ooi: primaryKey })));
    it.organisations['aa'] = { plugins: [boefje('dns')], objects };
    it.outage = (name) => {
      if (name === 'lastRun') throw outageOf('bytes');
    };
    await tick(it);
    expect([it.times('claim-due-schedules'), it.times('settle-schedules')]).toEqual([3, 0]);
  });

  test('however many organisations are out, with however much due, the others have their turn', async () => {
    const broken = ['bb', 'cc', 'dd', 'ee', 'ff'];
    const it = ports(
      [boefje('dns')],
      ...broken.flatMap((organisation, age) =>
        Array.from({ length: 1_500 }, (_, at) =>
          schedule({ organisation, ooi: `Hostname|internet|${at}`, deadlineAt: noon - (9 - age) * hour }),
        ),
      ),
      schedule(),
    );
    for (const organisation of broken) it.organisations[organisation] = { plugins: [boefje('dns')] };
    it.outage = (name, organisation) => {
      if (name === 'objectsByReference' && broken.includes(organisation!)) throw outageOf('octopoes');
    };
    await tick(it);
    expect(it.pairs).toEqual([`dns aa ${ooi}`]);
    expect(it.times('objectsByReference')).toBe(6);
  });

  test('an organisation that is out is asked once and does not hold up the others', async () => {
    const out = Array.from({ length: 4500 }, (_, at) =>
      schedule({ organisation: 'bb', ooi: `Hostname|internet|${at}`, deadlineAt: noon - hour }),
    );
    const it = ports([boefje('dns')], ...out, schedule());
    it.outage = (name, organisation) => {
      if (name === 'plugins' && organisation === 'bb') throw outageOf('katalogus');
    };
    await tick(it);
    expect(it.pairs).toEqual([`dns aa ${ooi}`]);
    expect(it.asked.filter(({ name, request }) => name === 'plugins' && request === 'bb')).toHaveLength(1);
  });

  test('ends after the batch in hand when the actor is told to stop', async () => {
    const objects = Array.from({ length: 2500 }, (_, at) => hostname(`${at}.example`));
    const it = ports([boefje('dns')], ...objects.map(({ primaryKey }) => schedule({ ooi: primaryKey })));
    it.organisations['aa'] = { plugins: [boefje('dns')], objects };
    it.outage = (name) => {
      if (name === 'push-tasks') it.stopping.abort();
    };
    await tick(it);
    expect([it.pushed.length, settlements(it).length, it.times('claim-due-schedules')]).toEqual([1000, 1000, 1]);
  });

  test('ends with a full queue, and leaves what found no room to the next', async () => {
    const it = ports();
    it.refusePush = () => 'queue-full';
    await tick(it);
    expect([it.times('claim-due-schedules'), it.times('settle-schedules')]).toEqual([1, 0]);
  });

  test('a task that the queue takes for malformed is reported, and its schedule moves on', async () => {
    const it = ports();
    it.failPush = () => ({ code: 'BAD_REQUEST', message: 'malformed item', retryable: false });
    await tick(it);
    expect([it.schedules[0]!.deadlineAt, it.warnings.length]).toEqual([noon + day, 1]);
  });

  test('a pair that Bytes rejects fails alone and is asked about again in an hour, not every minute', async () => {
    const it = ports([boefje('dns'), boefje('nmap')], schedule({ boefje: 'nmap' }), schedule());
    it.outage = (name, _organisation, request) => {
      if (name === 'lastRun' && (request as { boefje: string }).boefje === 'nmap') throw rejectionOf('bytes');
    };
    await tick(it);
    expect(it.pairs).toEqual([`dns aa ${ooi}`]);
    expect(it.schedules.map(({ deadlineAt }) => deadlineAt)).toEqual([noon + hour, noon + day]);
    expect(it.warnings[0]!.fields).toEqual({ schedules: 1, why: 'bytes answers nonsense' });
  });

  test('a schedule that a person disabled meanwhile is left as it is', async () => {
    const it = ports();
    it.outage = (name) => {
      if (name === 'objectsByReference') it.schedules = [{ ...it.schedules[0]!, enabled: false }];
    };
    await tick(it);
    expect([it.reasons, settlements(it), it.pushed]).toEqual([
      ['schedule-disabled'],
      [{ id: it.schedules[0]!.id }],
      [],
    ]);
  });
});
