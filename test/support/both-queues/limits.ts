import * as fc from 'fast-check';
import { limitsOf } from '../../../src/simulator/virtual/limits-file.ts';
import type { SetLimit } from '../../../src/control/limit-bodies.ts';

/** In the words of `rota limits` and `rota windows`; organisations and boefjes are those of pairs.ts. */
export const limitSets = {
  one: limitsOf([{ name: 'one', boefje: 'nmap', key: 'nmap', concurrency: 1 }]),
  rate: limitsOf([{ name: 'rate', key: 'host:{host}', rate: { tasks: 1, seconds: 90 } }]),
  burst: limitsOf([
    {
      name: 'burst',
      boefje: 'dns,nmap',
      key: '{organisation}',
      rate: { tasks: 2, seconds: 60 },
      burst: 3,
      concurrency: 2,
    },
  ]),
  all: limitsOf([
    { name: 'all', concurrency: 3 },
    { name: 'slow', organisation: 'a', key: '{boefje}', rate: { tasks: 1, seconds: 600 }, exempt_manual: true },
  ]),
  night: limitsOf([
    { name: 'night', boefje: 'dns', zone: 'Europe/Amsterdam', cron: '0 22 * * *', seconds: 8 * 3_600 },
    { name: 'image', image: 'img:x', concurrency: 2 },
  ]),
} as const;

/** Mostly none. */
export const anyLimits: fc.Arbitrary<readonly SetLimit[]> = fc.oneof(
  { weight: 3, arbitrary: fc.constant([]) },
  { weight: 2, arbitrary: fc.constantFrom<(readonly SetLimit[])[]>(...Object.values(limitSets)) },
);
