import { describe, expect, test } from 'vitest';
import boefjeScheduler from '../../actors/boefje/behavior.ts';
import normalizerScheduler from '../../actors/normalizer/behavior.ts';
import type { Ooi, Plugin } from '../../src/kat/kat.ts';
import type { DueSchedule } from '../../src/protocol/requests.ts';
import { boefjeHash } from '../../src/tasks/data.ts';
import { type RefusalReason, refusalReasons } from '../../src/tasks/refusal.ts';
import type { TaskStatus } from '../../src/tasks/task.ts';
import { deliver } from '../support/deliveries.ts';
import { boefje, hostname, normalizer, outageOf } from '../support/kat-ports.ts';
import { noon, Ports } from '../support/ports.ts';

/** Every reason of the closed list, by the shortest way to it; the compiler asks for the next one that is added. */
const ways: Record<RefusalReason, () => Promise<Ports>> = {
  'organisation-gone': () => mutation(null),
  'boefje-gone': () => due([]),
  'boefje-disabled': () => mutation(boefje('dns', { enabled: false })),
  'not-a-boefje': () => due([boefje('dns', { type: 'bit' })]),
  'not-consumed': () => due([boefje('dns', { consumes: [] })]),
  'ooi-gone': () => due([boefje('dns')], { objects: [] }),
  'no-scan-profile': () => mutation(boefje('dns'), { ooi: hostname('a', null) }),
  'scan-level-too-low': () => mutation(boefje('dns'), { ooi: hostname('a', 0) }),
  'no-run-on': () => mutation(boefje('dns', { runOn: ['create'] })),
  'cron-unreadable': () => due([boefje('dns', { cron: 'every night' })]),
  'still-running': () => mutation(boefje('dns'), { status: 'running' }),
  'already-queued': () => mutation(boefje('dns'), { status: 'queued' }),
  'grace-period': () => mutation(boefje('dns'), { status: 'completed' }),
  failing: () => due([boefje('dns')], { failures: 2 }),
  'schedule-disabled': () => due([boefje('dns')], { disabled: 'meanwhile' }),
  'normalizer-disabled': () => rawFile(['x'], normalizer('parse', ['x'], { enabled: false })),
  'error-mime-type': () => rawFile(['error/boefje']),
  'empty-raw-file': () => rawFile(['x'], normalizer('parse', ['x']), 0),
  'no-mime-type': () => rawFile([]),
  'queue-full': () => mutation(boefje('dns'), { push: 'queue-full' }),
  'rank-failed': () => mutation(boefje('dns'), { push: 'rank-failed' }),
};

/** The supervisor counts what its push refuses: an actor that counted it too would count it twice. */
const countedByPush: readonly RefusalReason[] = ['queue-full', 'rank-failed'];

describe('every reason to decline a task', () => {
  test.each(refusalReasons)('%s is reached, and counted once', async (reason) => {
    const { reasons, pushed } = await ways[reason]();
    expect(reasons).toEqual(countedByPush.includes(reason) ? [] : [reason]);
    expect(pushed).toEqual([]);
  });

  test('an outage is no reason: it is tried again', async () => {
    const it = new Ports('boefje');
    it.outage = (name) => {
      if (name === 'plugins') throw outageOf('katalogus');
    };
    await mutate(it, hostname('a'));
    expect(it.reasons).toEqual([]);
  });
});

async function mutation(
  plugin: Plugin | null,
  options: { ooi?: Ooi; status?: TaskStatus; push?: RefusalReason } = {},
): Promise<Ports> {
  const it = new Ports('boefje');
  const ooi = options.ooi ?? hostname('a');
  if (plugin !== null) it.organisations = { aa: { plugins: [plugin] } };
  if (options.status) {
    const hash = boefjeHash({ boefjeId: 'dns', inputOoi: ooi.primaryKey, organisation: 'aa' });
    it.latest = [{ hash, id: 'earlier', status: options.status, createdAt: noon, modifiedAt: noon }];
  }
  it.refusePush = () => options.push ?? null;
  await mutate(it, ooi);
  return it;
}

async function mutate(it: Ports, ooi: Ooi): Promise<void> {
  const behavior = boefjeScheduler.start(it.setup);
  await deliver(behavior['scan-profile-mutated'], {
    kind: 'scan-profile-mutated',
    operation: 'update',
    organisation: 'aa',
    ...ooi,
  });
}

async function due(
  plugins: readonly Plugin[],
  options: { objects?: Ooi[]; disabled?: 'meanwhile'; failures?: number } = {},
): Promise<Ports> {
  const it = new Ports('boefje');
  const ooi = hostname('a');
  const claimed: DueSchedule = {
    id: 's',
    version: 'v1',
    organisation: 'aa',
    hash: 'h',
    data: { boefje: { id: 'dns' }, input_ooi: ooi.primaryKey, organization: 'aa' },
    enabled: true,
    schedule: null,
    deadlineAt: noon - 1,
  };
  it.organisations = { aa: { plugins, objects: options.objects ?? [ooi] } };
  it.schedules = [claimed];
  if (options.failures !== undefined) {
    const hash = boefjeHash({ boefjeId: 'dns', inputOoi: ooi.primaryKey, organisation: 'aa' });
    const { failures } = options;
    it.latest = [{ hash, id: 'earlier', status: 'failed', createdAt: noon, modifiedAt: noon }];
    it.streaks = [{ hash, failures, bounded: false, firstAt: noon, lastAt: noon, version: null, image: null }];
  }
  it.outage = (name) => {
    if (name === 'objectsByReference' && options.disabled) it.schedules = [{ ...claimed, enabled: false }];
  };
  await deliver(boefjeScheduler.start(it.setup).reschedule, { kind: 'reschedule' });
  return it;
}

async function rawFile(
  mimeTypes: readonly string[],
  parser = normalizer('parse', ['y']),
  size?: number,
): Promise<Ports> {
  const it = new Ports('normalizer');
  it.organisations = { aa: { plugins: [parser] } };
  const plugin = { id: 'dns', name: null, version: null, oci_image: null };
  const behavior = normalizerScheduler.start(it.setup);
  await deliver(behavior['raw-file-received'], {
    kind: 'raw-file-received',
    organisation: 'aa',
    createdAt: noon,
    rawData: {
      id: 'raw',
      boefje_meta: {
        id: 'run',
        boefje: plugin,
        input_ooi: null,
        arguments: {},
        organization: 'aa',
        started_at: null,
        ended_at: null,
      },
      mime_types: mimeTypes.map((value) => ({ value })),
      secure_hash: null,
      hash_retrieval_link: null,
    },
    size: size ?? null,
  });
  return it;
}
