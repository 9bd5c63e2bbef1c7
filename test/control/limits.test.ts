import { expect, test } from 'vitest';
import { limitCommands } from '../../src/control/limits.ts';
import { commandRunner } from '../../src/control/operator-command.ts';
import type { Limits } from '../../src/queue/limits/limits.ts';

/** The limits of a database, with how often each was read. */
function countedLimits() {
  const read = { lists: 0, places: 0 };
  const limits: Pick<Limits, 'list' | 'set' | 'unset' | 'held' | 'places'> = {
    list: async () => {
      read.lists += 1;
      return { limits: [], now: 0 };
    },
    held: async () => [],
    places: async () => {
      read.places += 1;
      return [];
    },
    set: async () => true,
    unset: async () => true,
  };
  const commands = limitCommands({ limits, schedulerIds: ['boefje'], now: () => 0, audit: () => {} });
  return { read, run: commandRunner(commands, () => {}) };
}

test('limits of a burst of readers are read once, and an operator gets them as they are', async () => {
  const { read, run } = countedLimits();
  const reader = { by: 'looks', access: 'read' } as const;
  for (let asked = 0; asked < 10; asked += 1) {
    await run('limits', null, reader);
    await run('windows', {}, reader);
    await run('test-limit', { boefje: 'nmap', max_age_seconds: 0 }, reader);
  }
  expect(read).toEqual({ lists: 1, places: 1 });
  await run('test-limit', { boefje: 'dns' }, reader);
  expect(read.places).toBe(2);

  const operator = { by: 'acts', access: 'operate' } as const;
  for (let asked = 0; asked < 3; asked += 1) await run('limits', {}, operator);
  expect(read.lists).toBe(4);
});
