import { describe, expect, test } from 'vitest';
import boefjeScheduler from '../../actors/boefje/behavior.ts';
import type { ScanProfileMutated } from '../../src/protocol/events.ts';
import type { Revocation } from '../../src/protocol/requests.ts';
import type { Setup } from '../../src/protocol/scheduler.ts';
import { boefjeHash } from '../../src/tasks/data.ts';
import { deliver, outcomeOf } from '../support/deliveries.ts';
import { object, ooi, ports, schedule } from '../support/due-boefjes.ts';
import { boefje, hostname, outageOf } from '../support/kat-ports.ts';
import type { Ports } from '../support/ports.ts';

/** One actor: all its lanes. */
function actor(it: Ports, setup: Setup = it.setup) {
  const behavior = boefjeScheduler.start(setup);
  return {
    send: (...messages: readonly ScanProfileMutated[]) => deliver(behavior['scan-profile-mutated'], ...messages),
    look: () => deliver(behavior['look-for-new-boefjes'], { kind: 'look-for-new-boefjes' as const }),
    reschedule: () => deliver(behavior.reschedule, { kind: 'reschedule' as const }),
  };
}

function mutated(fields: Partial<ScanProfileMutated> = {}): ScanProfileMutated {
  const event = { kind: 'scan-profile-mutated', operation: 'update', organisation: 'aa' } as const;
  return { ...event, primaryKey: ooi, objectType: 'Hostname', scanLevel: 2, ...fields };
}

function tooLow(boefjeId: string, inputOoi = ooi): Revocation {
  return { hash: boefjeHash({ boefjeId, inputOoi, organisation: 'aa' }), reason: 'scan-level-too-low' };
}

const names = (it: Ports) => it.asked.map(({ name }) => name);
const revoked = (it: Ports) => it.requests('revoke-tasks').flatMap(({ revocations }) => revocations);

describe('a mutation', () => {
  test('of a lowered clearance revokes what is queued of the boefjes that need more, disabled ones too', async () => {
    const off = boefje('off', { enabled: false, scanLevel: 3 });
    const it = ports([
      boefje('dns'),
      boefje('nmap', { scanLevel: 2 }),
      off,
      boefje('ip', { consumes: ['IPAddressV4'] }),
    ]);
    await actor(it).send(mutated({ scanLevel: 1 }));
    expect(it.reasons).toEqual(['scan-level-too-low', 'boefje-disabled']);
    expect(it.requests('revoke-tasks')).toEqual([{ revocations: [tooLow('nmap'), tooLow('off')] }]);
    expect(it.pairs).toEqual([`dns aa ${ooi}`]);
    expect(names(it).indexOf('revoke-tasks')).toBeLessThan(names(it).indexOf('push-tasks'));
  });

  test('without a scan profile, or without a type, leaves clearance for nothing that may consume it', async () => {
    const it = ports([boefje('dns', { scanLevel: 0 }), boefje('ip', { consumes: ['IPAddressV4'], scanLevel: 0 })]);
    await actor(it).send(mutated({ scanLevel: null }));
    await actor(it).send(mutated({ scanLevel: null, objectType: null }));
    expect(revoked(it)).toEqual([tooLow('dns'), tooLow('dns'), tooLow('ip')]);
  });

  test('of a clearance that allows all there is asks for no revocation', async () => {
    const it = ports([boefje('dns'), boefje('nmap', { scanLevel: 2 })]);
    await actor(it).send(mutated());
    expect(it.times('revoke-tasks')).toBe(0);
  });

  test('among many is revoked with all of them by one request, and by the last level that they give an OOI', async () => {
    const it = ports([boefje('nmap', { scanLevel: 2 })]);
    const oois = Array.from({ length: 50 }, (_, at) => hostname(`${at}.example`).primaryKey);
    const [first, ...others] = oois as [string, ...string[]];
    const raised = mutated({ primaryKey: first, scanLevel: 4 });
    await actor(it).send(...oois.map((primaryKey) => mutated({ primaryKey, scanLevel: 1 })), raised);
    expect(it.requests('revoke-tasks')).toEqual([{ revocations: others.map((name) => tooLow('nmap', name)) }]);
    expect(it.pairs).toEqual([`nmap aa ${first}`]);
  });

  test('whose revocation is not committed is not acknowledged, and pushes nothing', async () => {
    const it = ports([boefje('dns'), boefje('nmap', { scanLevel: 4 })]);
    it.outage = (name) => {
      if (name === 'revoke-tasks') throw outageOf('database');
    };
    expect((await actor(it).send(mutated())).map(outcomeOf)).toEqual(['SERVICE_UNAVAILABLE']);
    expect(it.pushed).toEqual([]);
  });

  test('revokes nothing while Katalogus is out, and comes again; nor in an organisation that is gone', async () => {
    const it = ports([boefje('nmap', { scanLevel: 4 })]);
    it.outage = (name, organisation) => {
      if (name === 'plugins' && organisation === 'aa') throw outageOf('katalogus');
    };
    const outcomes = await actor(it).send(mutated(), mutated({ organisation: 'gone' }));
    expect(outcomes.map(outcomeOf)).toEqual(['SERVICE_UNAVAILABLE', 'done']);
    expect([it.times('revoke-tasks'), it.reasons]).toEqual([0, ['organisation-gone']]);
  });
});

describe('a due schedule', () => {
  test('of a boefje that is off or gone revokes what is queued there, as Katalogus has it now, before it is settled', async () => {
    const it = ports([boefje('dns'), boefje('off', { enabled: false })]);
    it.schedules = [schedule({ boefje: 'dns' }), schedule({ boefje: 'off' }), schedule({ boefje: 'gone' })];
    await actor(it).reschedule();
    expect(revoked(it)).toEqual([{ organisation: 'aa', enabled: ['dns'], disabled: ['off'] }]);
    expect(it.reasons.toSorted()).toEqual(['boefje-disabled', 'boefje-gone']);
    expect(names(it).indexOf('revoke-tasks')).toBeLessThan(names(it).indexOf('settle-schedules'));
  });

  test('of a boefje that a kept list has as disabled, and that is enabled by now, is queued', async () => {
    const it = ports([boefje('dns', { enabled: false })]);
    const enabled = () => (it.organisations['aa'] = { plugins: [boefje('dns')], objects: [object] });
    it.outage = (name) => {
      if (name === 'plugins' && it.times('plugins') === 2) enabled();
    };
    await actor(it).reschedule();
    expect([it.pairs, it.reasons]).toEqual([[`dns aa ${ooi}`], []]);
    expect(it.times('objectsByReference')).toBe(1);
  });

  test('of a pair without clearance revokes what a person queued for it', async () => {
    const it = ports([boefje('dns'), boefje('nmap', { scanLevel: 3 })]);
    it.schedules = [schedule({ boefje: 'dns' }), schedule({ boefje: 'nmap' })];
    await actor(it).reschedule();
    expect(revoked(it)).toEqual([tooLow('nmap')]);
    expect(it.pairs).toEqual([`dns aa ${ooi}`]);
  });

  test.each([
    [mutated({ scanLevel: 0 }), 'scan-level-too-low'],
    [mutated({ scanLevel: null }), 'no-scan-profile'],
    [mutated({ operation: 'delete', objectType: null, scanLevel: null }), 'ooi-gone'],
  ] as const)('whose OOI changed after Octopoes was asked (%j) is not pushed', async (event, reason) => {
    const it = ports([boefje('dns')]);
    const { send, reschedule } = actor(it);
    let sent: Promise<unknown> | undefined;
    it.outage = (name) => {
      if (name === 'disabled-schedules') sent ??= send(event);
    };
    await reschedule();
    await sent;
    expect([it.pushed, it.reasons]).toEqual([[], expect.arrayContaining([reason])]);
  });

  test('whose boefje was disabled after Katalogus was asked is not pushed', async () => {
    const it = ports([boefje('dns'), boefje('other')]);
    it.seen = [{ organisation: 'aa', boefjes: ['dns', 'other'], recurrences: {} }];
    const revoking = Promise.withResolvers<void>();
    const { supervisor } = it.setup;
    const { look, reschedule } = actor(it, {
      ...it.setup,
      supervisor: async (kind, request) => {
        if (kind === 'revoke-tasks') revoking.resolve();
        if (kind !== 'disabled-schedules') return supervisor(kind, request);
        it.organisations['aa'] = { plugins: [boefje('dns', { enabled: false }), boefje('other')], objects: [object] };
        const looked = look();
        await revoking.promise;
        void looked;
        return supervisor(kind, request);
      },
    });
    await reschedule();
    expect([it.pairs.filter((pair) => pair.startsWith('dns')), it.reasons]).toEqual([[], ['boefje-disabled']]);
  });

  test('that is being pushed is revoked afterwards, when its OOI is lowered at that moment', async () => {
    const it = ports([boefje('dns')]);
    const [asked, committed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const { supervisor } = it.setup;
    const setup: Setup = {
      ...it.setup,
      supervisor: async (kind, request) => {
        if (kind === 'push-tasks') {
          asked.resolve();
          await committed.promise;
        }
        return supervisor(kind, request);
      },
    };
    const { send, reschedule } = actor(it, setup);
    const rescheduling = reschedule();
    await asked.promise;
    const sent = send(mutated({ scanLevel: 0 }));
    await new Promise(setImmediate);
    expect(it.times('revoke-tasks')).toBe(0);
    committed.resolve();
    await Promise.all([rescheduling, sent]);
    expect(names(it).filter((name) => name === 'push-tasks' || name === 'revoke-tasks')).toEqual([
      'push-tasks',
      'revoke-tasks',
    ]);
  });
});
