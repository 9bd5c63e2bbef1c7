import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { realTime } from '../../src/kat/request.ts';
import { createKatServices, type KatClients } from '../../src/kat/services.ts';
import type { KatServices } from '../../src/kat/kat.ts';
import { bytesClient } from '../../src/simulator/bytes.ts';
import { boefjeRun } from '../../src/simulator/events.ts';
import { type SimulatedKat, startKat } from '../../src/simulator/kat.ts';
import { KatObjects, serviceOut } from '../../src/simulator/virtual/kat/kat-objects.ts';
import { createWorld } from '../../src/simulator/world.ts';

const world = createWorld({ organisations: 3, objects: 30, boefjes: 6, seed: 11 });
const [first, second, third] = [...world.organisations.values()] as [Org, Org, Org];
type Org = NonNullable<ReturnType<typeof world.organisations.get>>;
const shared = [...first.objects.keys()].find((reference) => second.objects.has(reference))!;
const enabled = [...first.plugins.values()].filter((plugin) => plugin.type === 'boefje' && plugin.enabled);
const run = boefjeRun({ boefje: enabled[0]!.id, inputOoi: shared, organisation: first.id, tookMs: 500 });

let kat: SimulatedKat;
let overHttp: KatClients;
const now = { value: 0 };
const out = new Set<string>();
const objects = new KatObjects({
  world,
  now: () => now.value,
  answering: async (service) => {
    if (out.has(service)) throw serviceOut(service);
  },
  lastRun: (organisation, boefje, ooi) =>
    organisation === run.organization && boefje === run.boefje.id && ooi === run.input_ooi
      ? Date.parse(run.ended_at)
      : undefined,
});

beforeAll(async () => {
  // What each of them says may be missing, or be of another kind.
  const plugin = enabled[0]!;
  Object.assign(plugin, { interval: 90, cron: '0 3 * * *', run_on: ['create'], rate_limit_interval: 2 });
  first.objects.get(shared)!.level = null;
  third.deduplicate = false;
  world.organisations.set('nodeless', { ...third, id: 'nodeless', objects: new Map(), nodeless: true });
  kat = await startKat(world);
  await bytesClient(kat.urls.bytes, kat.credentials).store(run, 'COMPLETED', ['boefje/x']);
  const settings = (url: string) => ({ url, timeoutMs: 5_000, connections: 4 });
  const { urls, credentials } = kat;
  overHttp = createKatServices(
    {
      katalogus: settings(urls.katalogus),
      octopoes: settings(urls.octopoes),
      bytes: settings(urls.bytes),
      bytesUser: credentials.username,
      bytesPassword: credentials.password,
    },
    realTime(() => Date.now()),
  );
});

afterAll(async () => {
  await overHttp.close();
  await kat.close();
});

const everyType = [...new Set([...first.objects.values()].map(({ objectType }) => objectType))];
const pages = async (
  of: KatServices,
  organisation: string,
  types: readonly string[],
  scanLevels: readonly number[],
) => {
  const found = [];
  for await (const page of of.octopoes.objects(organisation, { types, scanLevels })) found.push(...page);
  return found;
};

/** The same question to each: what a simulation answers is what the clients get. */
const questions: Readonly<Record<string, (of: KatServices) => Promise<unknown>>> = {
  organisations: (of) => of.katalogus.organisations(),
  'a known organisation': (of) => of.katalogus.knows(first.id),
  'an unknown organisation': (of) => of.katalogus.knows('unknown'),
  'plug-ins': (of) => of.katalogus.plugins(first.id),
  'plug-ins of an unknown organisation': (of) => of.katalogus.plugins('unknown'),
  'each configuration': (of) =>
    Promise.all(
      [first, second, third].flatMap(({ id, plugins }) =>
        [...plugins.keys()].map((plugin) => of.katalogus.boefjeConfigs(id, plugin)),
      ),
    ),
  'objects of some levels': (of) => pages(of, first.id, everyType, [1, 2]),
  'objects of one type': (of) => pages(of, first.id, everyType.slice(0, 1), [0, 1, 2, 3, 4]),
  'objects of no type': (of) => pages(of, first.id, [], [1]),
  'objects of an organisation without a node': (of) => pages(of, 'nodeless', everyType, [1]),
  'objects by reference': (of) => of.octopoes.objectsByReference(first.id, [...second.objects.keys()]),
  'objects of an unknown organisation': (of) => of.octopoes.objectsByReference('unknown', [shared]),
  'who has an object': (of) => of.octopoes.objectClients(shared, [first.id, second.id, third.id]),
  'a run': (of) => of.bytes.lastRun({ organisation: first.id, boefje: run.boefje.id, inputOoi: shared }),
  'no run': (of) => of.bytes.lastRun({ organisation: second.id, boefje: run.boefje.id, inputOoi: shared }),
  'several runs': (of) =>
    of.bytes.lastRuns({ organisation: first.id, boefjes: enabled.map(({ id }) => id), inputOoi: shared }),
};

describe('KAT as objects and KAT over HTTP', () => {
  test.each(Object.keys(questions))('answer alike: %s', async (name) => {
    const ask = questions[name]!;
    expect(await ask(objects)).toEqual(await ask(overHttp));
  });

  test('the objects keep what Katalogus says for half a minute, as its client does, unless it is asked anew', async () => {
    const before = await objects.katalogus.plugins(second.id);
    const [plugin] = [...second.plugins.values()];
    plugin!.enabled = !plugin!.enabled;
    objects.pluginsChanged(second.id);
    expect(await objects.katalogus.plugins(second.id)).toBe(before);
    expect(await objects.katalogus.plugins(second.id, { fresh: true })).not.toEqual(before);
    const kept = await objects.katalogus.plugins(second.id);
    now.value += 30_000;
    out.add('katalogus');
    await expect(objects.katalogus.plugins(second.id)).rejects.toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
      retryable: true,
    });
    out.clear();
    expect(await objects.katalogus.plugins(second.id)).toEqual(kept);
  });
});
