import type { Chance } from '../../time-and-chance.ts';
import type { Random } from '../random.ts';

/** Chance in the place of Node's own: the same for the same seed. Ids are counted, which is all that ids need. */
export function seededChance(random: Random, now: () => number): Chance {
  let made = 0;
  const counted = () => (made += 1).toString(16).padStart(12, '0');
  return {
    random: () => random.next(),
    uuid: () => `00000000-0000-4000-8000-${counted()}`,
    timeOrderedUuid: () => {
      const time = now().toString(16).padStart(12, '0');
      return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${counted()}`;
    },
    hex: (bytes) =>
      counted()
        .padStart(2 * bytes, '1')
        .slice(-2 * bytes),
  };
}
