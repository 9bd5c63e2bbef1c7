import { z } from 'zod';
import { RotaError } from '../../errors.ts';
import { hoursFault } from '../../queue/limits/hours.ts';
import { limitName, templateFault } from '../../queue/limits/limit.ts';
import type { SimulatedLimit } from './queue/limiter.ts';

const any = { scheduler: null, organisation: null, image: null, ooiType: null, exemptManual: false } as const;
const none = { spacingMs: null, burst: 1, concurrency: null, hours: null } as const;

/** What an operator may set: at most so many at once, a rate, and nights, in a zone whose clocks are set forward on the last day. */
export const typicalLimits: readonly SimulatedLimit[] = [
  {
    ...any,
    ...none,
    name: 'few-scans',
    plugin: 'nmap,nmap-ports,nmap-udp',
    template: 'nmap:{organisation}',
    concurrency: 1,
  },
  {
    ...any,
    ...none,
    name: 'shodan',
    plugin: 'shodan,shodan_internetdb',
    template: 'shodan',
    spacingMs: 90_000,
    burst: 2,
  },
  {
    ...any,
    ...none,
    name: 'at-night',
    plugin: 'rdns',
    template: '',
    hours: { zone: 'Europe/Amsterdam', cron: '0 22 * * *', seconds: 8 * 3_600 },
  },
];

/** What the check of windows can follow by itself (limits-kept.ts). */
const onceADay = /^\d{1,2} \d{1,2} \* \* \*$/;

/** In the words of `rota limits` and `rota windows`. */
const file = z.array(
  z
    .strictObject({
      name: z.string().regex(limitName),
      scheduler: z.string().nullable().default(null),
      organisation: z.string().nullable().default(null),
      boefje: z.string().nullable().default(null),
      image: z.string().nullable().default(null),
      ooi_type: z.string().nullable().default(null),
      exempt_manual: z.boolean().default(false),
      key: z.string().default('all'),
      rate: z.strictObject({ tasks: z.number().positive(), seconds: z.number().positive() }).nullable().default(null),
      burst: z.int().min(1).default(1),
      concurrency: z.int().min(1).nullable().default(null),
      window: z
        .strictObject({
          zone: z.string(),
          cron: z.string().regex(onceADay, 'expected a window that opens once a day, such as 0 22 * * *'),
          seconds: z.number().positive(),
        })
        .nullable()
        .default(null),
    })
    .refine(({ rate, concurrency, window }) => (window === null) !== (rate === null && concurrency === null), {
      message: 'expected a window, or a rate, a concurrency, or both',
    })
    .transform(({ boefje, ooi_type, exempt_manual, key, rate, window, ...same }): SimulatedLimit => ({
      ...same,
      plugin: boefje,
      ooiType: ooi_type,
      exemptManual: exempt_manual,
      // All tasks share a window: releaser.ts closes the one key that it has.
      template: window === null ? key : '',
      spacingMs: rate === null ? null : (rate.seconds * 1_000) / rate.tasks,
      hours: window,
    })),
);

/** @throws RotaError INVALID_REQUEST that says what is wrong with which one */
export function limitsOf(json: unknown): readonly SimulatedLimit[] {
  const read = file.safeParse(json);
  if (!read.success) {
    const { path, message } = read.error.issues[0]!;
    throw new RotaError('INVALID_REQUEST', `limits: ${path.join('.')}: ${message}`);
  }
  for (const { name, template, hours } of read.data) {
    const fault = hours === null ? templateFault(template) : hoursFault(hours, Date.now());
    if (fault !== null) throw new RotaError('INVALID_REQUEST', `limits: ${name}: ${fault}`);
  }
  return read.data;
}
