import { expect, test } from 'vitest';
import { HeardSupervisors } from '../../src/nats/operators.ts';

const minutes = (count: number) => count * 60_000;

test('a supervisor that ends without a word stays for an hour of searches, and one that leaves is gone at once', () => {
  const heard = new HeardSupervisors();
  heard.found(['two', 'one', 'three'], 0);
  heard.found(['one'], 10_000);
  expect(heard.instances()).toEqual(['one', 'three', 'two']);
  // A search may miss one that is busy.
  expect(heard.isMissed('two')).toBe(false);
  heard.leave('three', 15_000);
  heard.found(['one'], 30_000);
  expect(heard.instances()).toEqual(['one', 'two']);
  expect([heard.isMissed('one'), heard.isMissed('two'), heard.heardAt('two')]).toEqual([false, true, 0]);
  heard.found(['one', 'two'], 40_000);
  expect(heard.isMissed('two')).toBe(false);
  heard.found(['one'], minutes(62));
  expect(heard.instances()).toEqual(['one']);
});

test('an hour in which no page was looked at forgets nobody before a search', () => {
  const heard = new HeardSupervisors();
  heard.found(['one'], 0);
  expect([heard.instances(), heard.isMissed('one')]).toEqual([['one'], false]);
});

test('what a supervisor answered before it left does not bring it back; what comes later does', () => {
  const heard = new HeardSupervisors();
  heard.found(['one'], 0);
  heard.leave('one', 10);
  heard.hear('one', 5);
  expect(heard.instances()).toEqual([]);
  heard.found(['one'], 20);
  expect(heard.instances()).toEqual(['one']);
});
