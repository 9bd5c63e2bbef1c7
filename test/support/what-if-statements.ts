import { type Case, named, of } from './queue-statements.ts';

const lists = { byKey: false };
const zero = '00000000-0000-0000-0000-000000000000';
const least = '-9223372036854775808';
const never = '2100-01-01T00:00:00Z';

/** The statements of `rota simulate --from-database` (src/simulator/what-if). */
export const whatIfCases: readonly Case[] = [
  of('what-if/queue', () => ['boefje', false, least, '-infinity', zero, named, true], lists),
  of('what-if/queue', () => ['boefje', false, least, '-infinity', zero, named, false], {
    ...lists,
    about: ' without OOIs',
  }),
  // Asked once, and not by the low-water mark: under an old snapshot it walks past what was popped.
  of('what-if/first', () => ['boefje'], { ...lists, rows: 4 }),
  of('what-if/schedules', () => ['boefje', '-infinity', zero, never, named, true], lists),
  // Under an old snapshot the leases that ended are read, too.
  of('what-if/leases', () => [zero, named], { ...lists, rows: 100 }),
  of('what-if/standing', () => [named, ['boefje', 'normalizer', 'report']], { ...lists, rows: 4 }),
  of('what-if/service', () => ['boefje', 86_400, never, named, named], lists),
  of('what-if/arrivals', () => ['boefje', 86_400, named, named], lists),
];
