import { beforeEach, expect, test } from 'vitest';
import { boefjeRun, rawFileReceived, scanProfileMutation } from '../../src/simulator/events.ts';
import { expectedOfMutation, expectedOfRawFile } from '../../src/simulator/expectations.ts';
import type { SimulatedObject } from '../../src/simulator/objects.ts';
import { createWorld, type World } from '../../src/simulator/world.ts';

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
