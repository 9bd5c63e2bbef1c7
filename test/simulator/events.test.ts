import { beforeEach, expect, test } from 'vitest';
import {
  boefjeRun,
  expectedOfMutation,
  expectedOfRawFile,
  rawFileReceived,
  scanProfileDeletion,
  scanProfileMutation,
} from '../../src/simulator/events.ts';
import { createWorld, type SimulatedObject, type World } from '../../src/simulator/world.ts';

let world: World;
beforeEach(() => {
  world = createWorld({ organisations: 1, objects: 1, boefjes: 0, seed: 1 });
  for (const id of ['dns-records', 'fierce', 'nmap']) world.organisations.get('org-1')!.plugins.get(id)!.enabled = true;
});

function tasksOf(level: number) {
  const reference = 'Hostname|internet|a.example';
  const object: SimulatedObject = { reference, objectType: 'Hostname', level, profile: 'declared', fields: {} };
  return expectedOfMutation(world, scanProfileMutation('org-1', 'create', object)).map(({ about }) => about);
}

test('a mutation leads to every enabled boefje that consumes the type and may run at the level', () => {
  expect(tasksOf(0)).toEqual([]);
  expect(tasksOf(1)).toEqual(['dns-records on Hostname|internet|a.example in org-1']);
  expect(tasksOf(3)).toHaveLength(2);
});

test('a raw file leads to every normalizer that consumes one of its mime types', () => {
  const run = boefjeRun({ boefje: 'dns-records', inputOoi: null, organisation: 'org-1', tookMs: 1 });
  const tasks = (types: string[]) => expectedOfRawFile(world, rawFileReceived('raw', run, types));
  expect(tasks(['boefje/dns-records']).map(({ about }) => about)).toEqual([
    'kat_dns_normalize on the raw file of dns-records in org-1',
  ]);
  expect(tasks(['boefje/dns-records', 'error/boefje'])).toEqual([]);
  expect(tasks(['text/unheard-of'])).toEqual([]);
});

test('scan profile mutations have the body that Octopoes sends', () => {
  const object = {
    reference: 'Hostname|internet|mispo.es',
    objectType: 'Hostname',
    level: 2,
    profile: 'declared',
    fields: {},
  } as const;
  expect(scanProfileMutation('aa', 'create', object)).toEqual({
    operation: 'create',
    primary_key: 'Hostname|internet|mispo.es',
    value: {
      primary_key: 'Hostname|internet|mispo.es',
      object_type: 'Hostname',
      scan_profile: {
        scan_profile_type: 'declared',
        reference: 'Hostname|internet|mispo.es',
        level: 2,
        user_id: null,
      },
    },
    client_id: 'aa',
  });
  expect(scanProfileDeletion('aa', 'Hostname|internet|mispo.es')).toEqual({
    operation: 'delete',
    primary_key: 'Hostname|internet|mispo.es',
    value: null,
    client_id: 'aa',
  });
});
