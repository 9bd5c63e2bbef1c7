import { z } from 'zod';
import { limitBody, limitOf, type SetLimit, windowBody, windowOf } from '../../control/limit-bodies.ts';
import { RotaError } from '../../errors.ts';

const hoursFields = ['zone', 'cron', 'seconds', 'from', 'until'];
/** What the check of windows can follow by itself (limits-kept.ts). */
const onceADay = /^\d{1,2} \d{1,2} \* \* \*$/;

/** What an operator may set: at most so many at once, a rate, and nights, in a zone whose clocks are set forward on the last day. */
export const typicalLimits = limitsOf([
  { name: 'few-scans', boefje: 'nmap,nmap-ports,nmap-udp', key: 'nmap:{organisation}', concurrency: 1 },
  { name: 'shodan', boefje: 'shodan,shodan_internetdb', key: 'shodan', rate: { tasks: 1, seconds: 90 }, burst: 2 },
  { name: 'at-night', boefje: 'rdns', zone: 'Europe/Amsterdam', cron: '0 22 * * *', seconds: 8 * 3_600 },
]);

/**
 * A file of limits and windows: the bodies of `set-limit` and `set-window`, of a window that opens once a day.
 *
 * @throws RotaError INVALID_REQUEST that says what is wrong with which one
 */
export function limitsOf(json: unknown): readonly SetLimit[] {
  const entries = z.array(z.looseObject({})).safeParse(json);
  if (!entries.success) throw wrong('expected an array of limits and windows');
  return entries.data.map((entry, at) => {
    const about = typeof entry['name'] === 'string' ? entry['name'] : String(at);
    try {
      const isWindow = hoursFields.some((field) => field in entry);
      return isWindow ? dailyWindowOf(windowBody.parse(entry)) : limitOf(limitBody.parse(entry));
    } catch (error) {
      if (error instanceof RotaError) throw wrong(`${about}: ${error.message}`);
      if (!(error instanceof z.ZodError)) throw error;
      const { path, message } = error.issues[0]!;
      throw wrong([about, ...path, message].join(': '));
    }
  });
}

function dailyWindowOf(body: z.infer<typeof windowBody>): SetLimit {
  if (body.cron !== undefined && onceADay.test(body.cron)) return windowOf(body, Date.now());
  throw new RotaError('INVALID_REQUEST', 'cron: expected a window that opens once a day, such as 0 22 * * *');
}

function wrong(message: string): RotaError {
  return new RotaError('INVALID_REQUEST', `limits: ${message}`);
}
