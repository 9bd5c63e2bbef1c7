import { describe, expect, test } from 'vitest';
import boefjeScheduler from '../../actors/boefje/behavior.ts';
import type { ScanProfileMutated } from '../../src/protocol/events.ts';
import { deliver, deliverAgain, outcomeOf } from '../support/deliveries.ts';
import { ooi, ports } from '../support/due-boefjes.ts';
import { boefje, hostname, outageOf } from '../support/kat-ports.ts';

const event = { kind: 'scan-profile-mutated', operation: 'update', organisation: 'aa', primaryKey: ooi } as const;
const raised: ScanProfileMutated = { ...event, objectType: 'Hostname', scanLevel: 4 };
const lowered: ScanProfileMutated = { ...event, objectType: 'Hostname', scanLevel: 0 };
const deleted: ScanProfileMutated = { ...event, operation: 'delete', objectType: null, scanLevel: null };

function house(level: number) {
  const it = ports([boefje('dns', { scanLevel: 2 })]);
  it.organisations['aa'] = { ...it.organisations['aa']!, objects: [hostname('a.example', level)] };
  return { it, handle: boefjeScheduler.start(it.setup)['scan-profile-mutated'] };
}

describe('an event that comes again, newer ones having been handled since', () => {
  test('queues nothing by a level that was lowered since, and revokes by what is so now', async () => {
    const { it, handle } = house(1);
    await deliverAgain(handle, raised);
    expect([it.pushed, it.reasons, it.times('revoke-tasks')]).toEqual([[], ['scan-level-too-low'], 1]);
  });

  test('revokes nothing by a level that was raised since', async () => {
    const { it, handle } = house(3);
    await deliverAgain(handle, lowered, raised, lowered);
    expect([it.pairs, it.times('revoke-tasks'), it.times('objectsByReference')]).toEqual([[`dns aa ${ooi}`], 0, 1]);
  });

  test('forgets nothing that is there again, and what is not', async () => {
    const { it, handle } = house(3);
    await deliverAgain(handle, deleted);
    expect(it.times('forget-oois')).toBe(0);
    it.organisations['aa'] = { ...it.organisations['aa']!, objects: [] };
    await deliverAgain(handle, deleted);
    expect(it.times('forget-oois')).toBe(1);
  });

  test('comes again while Octopoes cannot say', async () => {
    const { it, handle } = house(1);
    it.outage = (name) => {
      if (name === 'objectsByReference') throw outageOf('octopoes');
    };
    expect((await deliverAgain(handle, raised)).map(outcomeOf)).toEqual(['SERVICE_UNAVAILABLE']);
    expect([it.pushed, it.times('revoke-tasks')]).toEqual([[], 0]);
  });

  test('and one that comes for the first time is believed: Octopoes is not asked', async () => {
    const { it, handle } = house(1);
    await deliver(handle, raised);
    expect([it.pairs, it.times('objectsByReference')]).toEqual([[`dns aa ${ooi}`], 0]);
  });
});
