import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { parseUuid } from '../../src/tasks/lax.ts';
import { chance } from '../../src/time-and-chance.ts';

test('an id of ours is a UUID of version 7 with the time it was made at, as any reader of UUIDs takes it', () => {
  for (let made = 0; made < 1_000; made += 1) {
    const before = Date.now();
    const id = chance.timeOrderedUuid();
    expect(parseUuid(id)).toBe(id);
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const time = Number.parseInt(id.slice(0, 13).replace('-', ''), 16);
    expect(time).toBeGreaterThanOrEqual(before);
    expect(time).toBeLessThanOrEqual(Date.now());
  }
});

test('what is made later sorts later, and no two are alike', async () => {
  const ids: string[] = [];
  for (let moment = 0; moment < 20; moment += 1) {
    const made = Array.from({ length: 500 }, () => chance.timeOrderedUuid());
    const [first] = made.toSorted();
    const last = ids.toSorted().at(-1);
    if (last !== undefined) expect(first! > last).toBe(true);
    ids.push(...made);
    // Two of one millisecond may be in either order.
    await sleep(2);
  }
  expect(new Set(ids).size).toBe(ids.length);
});
