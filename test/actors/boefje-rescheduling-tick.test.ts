import { describe, expect, test } from 'vitest';
import { outcomeOf } from '../support/deliveries.ts';
import { day, ooi, ports, schedule, settlements, tick } from '../support/due-boefjes.ts';
import { boefje, hostname, outageOf, rejectionOf } from '../support/kat-ports.ts';
import { hour, noon } from '../support/ports.ts';

describe('a tick', () => {
  test('lessons 0.6: goes on until nothing is due, and examines no schedule twice', async () => {
    const objects = Array.from({ length: 2500 }, (_, at) => hostname(`${at}.example`));
    const it = ports([boefje('dns')], ...objects.map(({ primaryKey }) => schedule({ ooi: primaryKey })));
    it.organisations['aa'] = { plugins: [boefje('dns')], objects };
    await tick(it);
    expect(it.pushed).toHaveLength(2500);
    expect(it.times('objectsByReference')).toBe(3);
    // The push of a task moves its schedule.
    expect(settlements(it)).toEqual([]);
    expect(it.schedules.every(({ deadlineAt }) => deadlineAt! > noon)).toBe(true);
  });

  test('from the second batch on three go side by side; what fits into one is claimed once', async () => {
    const due = (count: number) =>
      ports([boefje('dns')], ...Array.from({ length: count }, (_, at) => schedule({ ooi: `Hostname|internet|${at}` })));
    const order = (it: ReturnType<typeof due>) =>
      it.asked.map(({ name }) => name.slice(0, 6)).filter((name) => name === 'claim-' || name === 'settle');
    const many = due(4_000);
    await tick(many);
    expect(order(many).slice(0, 5)).toEqual(['claim-', 'settle', 'claim-', 'claim-', 'claim-']);
    const few = due(10);
    await tick(few);
    expect(order(few)).toEqual(['claim-', 'settle', 'claim-']);
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

  test('ends after the current batch when the actor must stop', async () => {
    const objects = Array.from({ length: 2500 }, (_, at) => hostname(`${at}.example`));
    const it = ports([boefje('dns')], ...objects.map(({ primaryKey }) => schedule({ ooi: primaryKey })));
    it.organisations['aa'] = { plugins: [boefje('dns')], objects };
    it.outage = (name) => {
      if (name === 'push-tasks') it.stopping.abort();
    };
    await tick(it);
    expect([it.pushed.length, it.times('claim-due-schedules')]).toEqual([1000, 1]);
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
      [{ id: it.schedules[0]!.id, version: 'v1' }],
      [],
    ]);
  });
});
