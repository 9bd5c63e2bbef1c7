import * as fc from 'fast-check';
import { limitsOf } from '../../../src/simulator/virtual/limits-file.ts';
import type { SimulatedLimit } from '../../../src/simulator/virtual/queue/memory-limits.ts';

/** In the words of `rota limits` and `rota windows`; organisations and boefjes are those of pairs.ts. */
const sets: readonly (readonly object[])[] = [
  [{ name: 'one', boefje: 'nmap', key: 'nmap', concurrency: 1 }],
  [{ name: 'rate', key: 'host:{host}', rate: { tasks: 1, seconds: 90 } }],
  [{ name: 'burst', boefje: 'dns,nmap', key: '{organisation}', rate: { tasks: 2, seconds: 60 }, burst: 3, concurrency: 2 }],
  [
    { name: 'all', concurrency: 3 },
    { name: 'slow', organisation: 'a', key: '{boefje}', rate: { tasks: 1, seconds: 600 }, exempt_manual: true },
  ],
  [
    { name: 'night', boefje: 'dns', window: { zone: 'Europe/Amsterdam', cron: '0 22 * * *', seconds: 8 * 3_600 } },
    { name: 'image', image: 'img:x', concurrency: 2 },
  ],
];

/** Mostly none. */
export const anyLimits: fc.Arbitrary<readonly SimulatedLimit[]> = fc.oneof(
  { weight: 3, arbitrary: fc.constant([]) },
  { weight: 2, arbitrary: fc.constantFrom(...sets.map((set) => limitsOf(set))) },
);
