import { describe, expect, test } from 'vitest';
import boefjeScheduler from '../../actors/boefje/behavior.ts';
import type { Plugin } from '../../src/kat/kat.ts';
import type { NewTask } from '../../src/protocol/requests.ts';
import { boefjeData, boefjeHash } from '../../src/tasks/data.ts';
import { deliver } from '../support/deliveries.ts';
import { boefje, hostname, outageOf } from '../support/kat-ports.ts';
import { hour, noon, Ports } from '../support/ports.ts';

const object = hostname('a.example');
const ooi = object.primaryKey;

/** Organisations aa, bb and cc configured `dns` identically and all have the OOI. */
function ports(bb: Partial<Plugin> = {}): Ports {
  const it = new Ports('boefje');
  it.organisations = {
    aa: { plugins: [boefje('dns')], objects: [object], deduplicate: true },
    bb: { plugins: [boefje('dns', bb)], objects: [object], deduplicate: true },
    cc: { plugins: [boefje('dns')], objects: [object], deduplicate: true },
  };
  const all = ['aa', 'bb', 'cc'];
  it.configs = all.map((organisationId) => ({
    boefjeId: 'dns',
    organisationId,
    enabled: true,
    duplicates: all
      .filter((other) => other !== organisationId)
      .map((other) => ({ organisationId: other, enabled: true })),
  }));
  return it;
}

function mutate(it: Ports, ...organisations: string[]) {
  return deliver(
    boefjeScheduler.start(it.setup)['scan-profile-mutated'],
    ...organisations.map((organisation) => ({
      kind: 'scan-profile-mutated' as const,
      operation: 'update' as const,
      organisation,
      primaryKey: ooi,
      objectType: 'Hostname',
      scanLevel: 2,
    })),
  );
}

function keys(tasks: readonly NewTask[]): (string | null)[] {
  return tasks.map(({ data }) => boefjeData.parse(data).deduplication_key);
}

describe('cross-organisation deduplication', () => {
  test('brings identically configured organisations that have the OOI into one group, keyed by its head', async () => {
    const it = ports();
    await mutate(it, 'aa');
    expect(it.pairs).toEqual([`dns aa ${ooi}`, `dns bb ${ooi}`, `dns cc ${ooi}`]);
    const head = it.pushed[0]!;
    expect(head.id).toBe(head.data['id']);
    expect(keys(it.pushed)).toEqual([head.id, head.id, head.id]);
    expect(it.times('push-tasks')).toBe(1);
  });

  test('joins pairs of one batch instead of making them twice', async () => {
    const it = ports();
    await mutate(it, 'aa', 'bb', 'cc');
    expect(it.pushed).toHaveLength(3);
    expect(new Set(keys(it.pushed)).size).toBe(1);
    expect(it.reasons).toEqual([]);
  });

  test('asks Octopoes once per OOI, for all boefjes together', async () => {
    const it = ports();
    for (const id of ['aa', 'bb', 'cc']) {
      it.organisations[id] = { ...it.organisations[id]!, plugins: [boefje('dns'), boefje('nmap')] };
    }
    it.configs.push(...it.configs.map((config) => ({ ...config, boefjeId: 'nmap' })));
    await mutate(it, 'aa');
    expect(it.pushed).toHaveLength(6);
    expect(it.times('objectClients')).toBe(1);
  });

  test('a task alone has no key', async () => {
    const it = ports();
    it.configs = [];
    await mutate(it, 'aa');
    expect([it.pairs.length, keys(it.pushed)]).toEqual([1, [null]]);
  });

  test('lessons 1: a sibling passes the checks of its own organisation: plug-in, clearance, history, Bytes', async () => {
    const cases = [
      [ports({ enabled: false }), 'boefje-disabled'],
      [ports({ scanLevel: 4 }), 'scan-level-too-low'],
      [ports({ runOn: ['create'] }), 'no-run-on'],
      [ports({ consumes: [] }), 'not-consumed'],
    ] as const;
    for (const [it, reason] of cases) {
      await mutate(it, 'aa');
      expect([it.pairs, it.reasons]).toEqual([[`dns aa ${ooi}`, `dns cc ${ooi}`], [reason]]);
      expect(it.refused[0]!.about['organisation']).toBe('bb');
    }
    const running = ports();
    const hash = boefjeHash({ boefjeId: 'dns', inputOoi: ooi, organisation: 'bb' });
    running.latest = [{ hash, id: 'x', status: 'running', createdAt: noon, modifiedAt: noon }];
    running.runs = [{ organisation: 'cc', boefje: 'dns', inputOoi: ooi, run: { endedAt: noon - hour } }];
    await mutate(running, 'aa');
    expect([running.pairs, running.reasons]).toEqual([[`dns aa ${ooi}`], ['still-running', 'grace-period']]);
    expect(keys(running.pushed)).toEqual([null]);
  });

  test("a sibling's recurrence is its own organisation's", async () => {
    const it = ports({ interval: 30 });
    it.settings = { gracePeriodSeconds: 86_400, jitterSeconds: 0 };
    await mutate(it, 'aa');
    expect(it.pushed.map((task) => task.recurrence)).toEqual([
      'default',
      { schedule: null, deadlineAt: '2026-03-02T12:30:00.000Z', inherited: false, byInterval: true },
      'default',
    ]);
  });

  test('an organisation, a boefje or a configuration that is not to be shared is not', async () => {
    const organisation = ports();
    organisation.organisations['bb'] = { ...organisation.organisations['bb']!, deduplicate: false };
    await mutate(organisation, 'aa');
    expect(organisation.pairs).toEqual([`dns aa ${ooi}`, `dns cc ${ooi}`]);

    const plugin = ports();
    plugin.organisations['aa'] = { ...plugin.organisations['aa']!, plugins: [boefje('dns', { deduplicate: false })] };
    await mutate(plugin, 'aa');
    expect([plugin.pairs.length, plugin.times('boefjeConfigs')]).toEqual([1, 0]);

    const config = ports();
    config.configs = config.configs.map((it) => ({
      ...it,
      duplicates: it.duplicates.map((other) => ({ ...other, enabled: other.organisationId === 'bb' })),
    }));
    await mutate(config, 'aa');
    expect(config.pairs).toEqual([`dns aa ${ooi}`, `dns bb ${ooi}`]);
  });

  test('an organisation without the OOI is not brought in', async () => {
    const it = ports();
    it.organisations['bb'] = { ...it.organisations['bb']!, objects: [] };
    await mutate(it, 'aa');
    expect(it.pairs).toEqual([`dns aa ${ooi}`, `dns cc ${ooi}`]);
  });

  test('a boefje that runs on operations goes alone: the operation was in one organisation', async () => {
    const it = ports();
    it.organisations['aa'] = { ...it.organisations['aa']!, plugins: [boefje('dns', { runOn: ['update'] })] };
    await mutate(it, 'aa');
    expect(it.pairs).toEqual([`dns aa ${ooi}`]);
  });

  test('lessons 0.8: where no service can say which organisations share, tasks go alone', async () => {
    for (const service of ['organisations', 'boefjeConfigs', 'objectClients']) {
      const it = ports();
      it.outage = (name) => {
        if (name === service) throw outageOf(service);
      };
      await mutate(it, 'aa');
      expect([it.pairs, keys(it.pushed)]).toEqual([[`dns aa ${ooi}`], [null]]);
      expect(it.warnings).toHaveLength(1);
    }
  });

  test('an installation with one organisation asks no service', async () => {
    const it = ports();
    it.organisations = { aa: it.organisations['aa']! };
    await mutate(it, 'aa');
    expect([it.pairs.length, it.times('boefjeConfigs'), it.times('objectClients')]).toEqual([1, 0, 0]);
  });
});
