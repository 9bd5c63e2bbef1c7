import { describe, expect, test } from 'vitest';
import boefjeScheduler from '../../actors/boefje/behavior.ts';
import type { Plugin } from '../../src/kat/kat.ts';
import { deliver, outcomeOf } from '../support/deliveries.ts';
import { boefje, hostname, outageOf, rejectionOf } from '../support/kat-ports.ts';
import { Ports } from '../support/ports.ts';

const [a, b, c] = [hostname('a', 1), hostname('b', 3), hostname('c', null)];

function ports(...plugins: Plugin[]): Ports {
  const it = new Ports('boefje');
  it.organisations = { aa: { plugins, objects: [a, b, c] } };
  return it;
}

/** One actor: what it remembers lasts from look to look. */
function actor(it: Ports) {
  const look = boefjeScheduler.start(it.setup)['look-for-new-boefjes'];
  return (organisations?: readonly string[]) =>
    deliver(look, { kind: 'look-for-new-boefjes' as const, ...(organisations ? { organisations } : {}) });
}

describe('a look for new boefjes', () => {
  test('queues a boefje that was not seen enabled on every OOI whose clearance allows it', async () => {
    const it = ports(boefje('dns'), boefje('nmap', { scanLevel: 3 }), boefje('off', { enabled: false }));
    it.seen = [{ organisation: 'aa', boefjes: ['dns'], recurrences: {} }];
    await actor(it)();
    expect(it.pairs).toEqual([`nmap aa ${b.primaryKey}`]);
    expect(it.asked.find(({ name }) => name === 'objects')!.request).toEqual({
      types: ['Hostname'],
      scanLevels: [3, 4],
    });
    expect(it.seen).toEqual([{ organisation: 'aa', boefjes: ['dns', 'nmap'], recurrences: {} }]);
  });

  test('takes everything that is enabled for new in an organisation never looked at', async () => {
    const it = ports(boefje('dns'));
    await actor(it)();
    expect(it.pairs).toEqual([`dns aa ${a.primaryKey}`, `dns aa ${b.primaryKey}`]);
  });

  test('lessons 0.8: a restart floods nothing', async () => {
    const it = ports(boefje('dns'));
    await actor(it)();
    const before = it.pushed.length;
    await actor(it)();
    expect([it.pushed.length, it.times('push-tasks'), it.times('objects')]).toEqual([before, 1, 1]);
  });

  test('lessons 1: a boefje that is enabled again brings back the schedules that went with it', async () => {
    const it = ports(boefje('dns'), boefje('nmap'));
    it.seen = [{ organisation: 'aa', boefjes: [], recurrences: {} }];
    await actor(it)();
    expect(it.requests('enable-schedules')).toEqual([
      {
        organisation: 'aa',
        boefjes: ['dns', 'nmap'],
        reasons: ['boefje-disabled', 'boefje-gone', 'organisation-gone', 'unknown'],
      },
    ]);
  });

  test('drops what is no longer enabled, so that it is new when it is enabled again', async () => {
    const it = ports(boefje('dns', { enabled: false }));
    it.seen = [{ organisation: 'aa', boefjes: ['dns'], recurrences: {} }];
    await actor(it)();
    expect([it.seen, it.pushed]).toEqual([[{ organisation: 'aa', boefjes: [], recurrences: {} }], []]);
  });

  test('boefjes that run on operations are seen, and queued on nothing that is there', async () => {
    const it = ports(boefje('dns', { runOn: ['create'] }));
    await actor(it)();
    expect([it.pushed, it.times('objects')]).toEqual([[], 0]);
    expect(it.seen).toEqual([{ organisation: 'aa', boefjes: ['dns'], recurrences: { dns: 'run-on-only' } }]);
  });

  test('pushes page by page, and records what was seen only after the last', async () => {
    const it = ports(boefje('dns'));
    it.organisations['aa'] = {
      plugins: [boefje('dns')],
      objects: Array.from({ length: 25 }, (_, at) => hostname(`${at}`)),
    };
    it.pageSize = 10;
    await actor(it)();
    expect(it.requests('push-tasks').map(({ tasks }) => tasks.length)).toEqual([10, 10, 5]);
    expect(it.asked.map(({ name }) => name).at(-1)).toBe('save-seen-boefjes');
  });

  test('lessons 0.8: an outage of one organisation leaves that one alone to the next look', async () => {
    const it = ports(boefje('dns'));
    it.organisations['bb'] = { plugins: [boefje('dns')], objects: [a] };
    it.organisations['cc'] = { plugins: [boefje('dns')], objects: [a] };
    it.outage = (name, organisation) => {
      if (name === 'objects' && organisation === 'aa') throw outageOf('octopoes');
      if (name === 'plugins' && organisation === 'bb') throw outageOf('katalogus');
    };
    const look = actor(it);
    const [first] = await look();
    expect(first!.settled).toEqual({ value: { organisations: 3, newBoefjes: 1, queued: 1, unfinished: ['aa', 'bb'] } });
    expect(it.seen.map(({ organisation }) => organisation)).toEqual(['cc']);
    it.outage = () => {};
    await look();
    expect(it.seen.map(({ organisation }) => organisation)).toEqual(['cc', 'aa', 'bb']);
  });

  test('ends after the current page when the actor must stop, and leaves the rest to the next look', async () => {
    const it = ports(boefje('dns'));
    it.organisations['bb'] = { plugins: [boefje('dns')], objects: [a] };
    it.pageSize = 1;
    it.outage = (name) => {
      if (name === 'push-tasks') it.stopping.abort();
    };
    const [first] = await actor(it)();
    expect(it.pairs).toEqual([`dns aa ${a.primaryKey}`]);
    expect([it.seen, first!.settled]).toMatchObject([[], { value: { unfinished: ['aa', 'bb'] } }]);
  });

  test('an outage of Bytes, or a full queue, leaves the look unfinished', async () => {
    const bytes = ports(boefje('dns'));
    bytes.outage = (name) => {
      if (name === 'lastRun') throw outageOf('bytes');
    };
    const full = ports(boefje('dns'));
    full.refusePush = () => 'queue-full';
    for (const it of [bytes, full]) {
      await actor(it)();
      expect(it.seen).toEqual([]);
    }
  });

  test('a pair that Bytes rejects fails alone, on whatever page it is', async () => {
    const it = ports(boefje('dns'));
    it.pageSize = 1;
    it.outage = (name, _organisation, request) => {
      if (name === 'lastRun' && (request as { inputOoi: string }).inputOoi === a.primaryKey) throw rejectionOf('bytes');
    };
    const [first] = await actor(it)();
    expect(it.pairs).toEqual([`dns aa ${b.primaryKey}`]);
    expect(first!.settled).toMatchObject({ value: { queued: 1, unfinished: ['aa'] } });
  });

  test('a pair that Bytes always rejects is given up after three looks, with its name', async () => {
    const it = ports(boefje('dns'));
    it.outage = (name, _organisation, request) => {
      if (name === 'lastRun' && (request as { inputOoi: string }).inputOoi === a.primaryKey) throw rejectionOf('bytes');
    };
    const look = actor(it);
    for (let looks = 1; looks < 3; looks += 1) await look();
    expect(it.seen).toEqual([]);
    await look();
    expect(it.seen).toEqual([{ organisation: 'aa', boefjes: ['dns'], recurrences: {} }]);
    expect(it.warnings.at(-1)!.fields).toEqual({
      organisation: 'aa',
      boefje: 'dns',
      ooi: a.primaryKey,
      why: 'bytes answers nonsense',
    });
    await look();
    expect(it.times('objects')).toBe(3);
  });

  test('a task that the queue takes for malformed does not repeat the look forever', async () => {
    const it = ports(boefje('dns'));
    it.failPush = () => ({ code: 'BAD_REQUEST', message: 'malformed item', retryable: false });
    await actor(it)();
    expect(it.seen).toEqual([{ organisation: 'aa', boefjes: ['dns'], recurrences: {} }]);
  });

  test('without the list of organisations there is nothing to look at: it fails as retryable', async () => {
    const it = ports(boefje('dns'));
    it.outage = (name) => {
      if (name === 'organisations') throw outageOf('katalogus');
    };
    expect((await actor(it)()).map(outcomeOf)).toEqual(['SERVICE_UNAVAILABLE']);
  });

  test('an organisation that Katalogus does not know is reported once, skipped, and all new when it comes back', async () => {
    const it = ports(boefje('dns'));
    it.seen = [
      { organisation: 'aa', boefjes: ['dns'], recurrences: {} },
      { organisation: 'bb', boefjes: ['dns'], recurrences: {} },
    ];
    const look = actor(it);
    await look();
    await look(['bb']);
    expect(it.warnings.map(({ fields }) => fields)).toEqual([{ organisation: 'bb' }]);
    it.organisations['bb'] = { plugins: [boefje('dns')], objects: [a] };
    await look();
    expect(it.pairs).toEqual([`dns bb ${a.primaryKey}`]);
  });

  test('by command looks at the organisations named alone', async () => {
    const it = ports(boefje('dns'));
    it.organisations['bb'] = { plugins: [boefje('dns')], objects: [a] };
    await actor(it)(['bb']);
    expect(it.pairs).toEqual([`dns bb ${a.primaryKey}`]);
    expect(it.seen.map(({ organisation }) => organisation)).toEqual(['bb']);
  });

  test('tells the limits that Katalogus gives, one for each group, unless an organisation does not answer', async () => {
    const limited = (id: string, seconds: number, group: string, enabled = true) =>
      boefje(id, { enabled, rateLimit: { seconds, group } });
    const it = ports(limited('shodan', 1, 'api'), limited('off', 9, 'api', false));
    it.organisations['bb'] = { plugins: [limited('other', 2, 'api'), limited('x', 5, 'x:{input_ooi}')], objects: [] };
    const look = actor(it);
    await look();
    const told = {
      request: [
        { group: 'api', seconds: 2, boefjes: ['other', 'shodan'] },
        { group: 'x:{input_ooi}', seconds: 5, boefjes: ['x'] },
      ],
    };
    expect(it.requests('set-default-limits')).toEqual([{ limits: told.request }]);
    it.outage = (name, organisation) => {
      if (name === 'plugins' && organisation === 'bb') throw outageOf('katalogus');
    };
    await look();
    await look(['aa']);
    expect(it.times('set-default-limits')).toBe(1);
  });
});
