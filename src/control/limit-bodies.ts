import { z } from 'zod';
import { RotaError } from '../errors.ts';
import { type Hours, hoursFault } from '../queue/limits/hours.ts';
import { type KeyedLimit, limitName, templateFault } from '../queue/limits/limit.ts';
import { lengths, shortText } from '../tasks/limits.ts';
import { note } from './queues.ts';

const longestDays = 31;

export const name = z.string().regex(limitName, 'at most 64 of A-Z, a-z, 0-9, _, . and -');
export const text = (bytes: number) =>
  shortText(bytes)
    .min(1)
    .refine((given) => !given.includes('\0'), { message: 'no NUL' });

const match = {
  scheduler: text(lengths.name).nullish(),
  organisation: text(lengths.organisation).nullish(),
  boefje: text(lengths.name).nullish(),
  image: text(lengths.name).nullish(),
  ooi_type: text(64).nullish(),
  exempt_manual: z.boolean().default(false),
};

const template = shortText(lengths.organisation).superRefine((given, context) => {
  const fault = given.includes('\0') ? 'no NUL' : templateFault(given);
  if (fault !== null) context.addIssue({ code: 'custom', message: fault });
});

/** Sets a limit. */
export const limitBody = z
  .strictObject({
    name,
    ...match,
    key: template.default('all'),
    rate: z
      .strictObject({
        tasks: z.int().min(1),
        seconds: z
          .number()
          .positive()
          .max(longestDays * 86_400),
      })
      .refine(({ tasks, seconds }) => tasks / seconds <= 1_000, { message: 'at most 1000 tasks a second' })
      .nullish(),
    burst: z.int().min(1).max(10_000).default(1),
    concurrency: z.int().min(1).max(1_000_000).nullish(),
    note,
  })
  .refine(({ rate, concurrency }) => rate != null || concurrency != null, {
    message: 'expected a rate, a concurrency, or both',
    path: ['rate'],
  });

/** Sets a window: `cron` and `seconds`, or `from` and `until`. */
export const windowBody = z.strictObject({
  name,
  ...match,
  zone: z.string().max(64).default('UTC'),
  cron: z.string().max(500).optional(),
  seconds: z
    .int()
    .min(1)
    .max(longestDays * 86_400)
    .optional(),
  from: z.string().max(40).optional(),
  until: z.string().max(40).optional(),
  note,
});

/** What a body sets. */
export interface SetLimit extends KeyedLimit {
  /** Milliseconds between two claims; null: no rate. */
  readonly spacingMs: number | null;
  readonly burst: number;
  readonly concurrency: number | null;
  /** Of windows. */
  readonly hours: Hours | null;
}

export function limitOf({ key, rate, burst, concurrency = null, ...body }: z.infer<typeof limitBody>): SetLimit {
  const spacingMs = rate == null ? null : (rate.seconds * 1_000) / rate.tasks;
  return { ...matchOf(body), template: key, spacingMs, burst, concurrency, hours: null };
}

/**
 * @param now epoch milliseconds
 * @throws RotaError INVALID_REQUEST where it says no hours, or none that can be read
 */
export function windowOf(body: z.infer<typeof windowBody>, now: number): SetLimit {
  const hours = hoursOf(body);
  const fault = hoursFault(hours, now);
  if (fault !== null) throw new RotaError('INVALID_REQUEST', `${'cron' in hours ? 'cron' : 'from'}: ${fault}`);
  return { ...matchOf(body), template: '', spacingMs: null, burst: 1, concurrency: null, hours };
}

type Match = Pick<z.infer<typeof limitBody>, 'name' | keyof typeof match>;

function matchOf({ name, scheduler = null, organisation = null, boefje = null, ...rest }: Match) {
  const { image = null, ooi_type: ooiType = null, exempt_manual: exemptManual } = rest;
  return { name, scheduler, organisation, plugin: boefje, image, ooiType, exemptManual };
}

function hoursOf({ zone, cron, seconds, from, until }: z.infer<typeof windowBody>): Hours {
  if (cron !== undefined && seconds !== undefined && from === undefined && until === undefined)
    return { zone, cron, seconds };
  if (from !== undefined && until !== undefined && cron === undefined && seconds === undefined)
    return { zone, from, until };
  throw new RotaError(
    'INVALID_REQUEST',
    'expected cron and seconds (--opens and --for: open from each of its times on), or from and until (--closed-from and --until)',
  );
}
