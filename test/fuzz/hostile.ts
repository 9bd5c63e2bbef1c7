import * as fc from 'fast-check';

/**
 * What no schema asks for. The largest sizes are a little below max_payload of NATS (1 MiB), where an answer that repeats its
 * question no longer fits. Sizes are drawn so that most inputs are small: ten of a megabyte among a thousand find what size
 * finds, and a run of 100 000 stays a matter of minutes.
 */

/** Planted where secrets are: in an `environment`. It must be in no log and no table. */
export const secret = 'fuzz-secret-5d0c';

const sizes = fc.oneof(
  { weight: 60, arbitrary: fc.integer({ min: 1, max: 300 }) },
  { weight: 30, arbitrary: fc.constantFrom(1_000, 1_025, 10_000) },
  { weight: 8, arbitrary: fc.constantFrom(60_000, 200_000, 450_000) },
  { weight: 2, arbitrary: fc.constantFrom(800_000, 1_000_000, 1_048_000) },
);

const units = [
  'x',
  '/',
  '(',
  '[',
  '\\',
  '%',
  '*',
  ' ',
  '\n',
  '\u0000',
  '\u001B[2J\u001B]0;owned\u0007',
  '\uD800',
  '\u202E',
  '💥',
  'é',
  '"',
  "'; DROP TABLE tasks; --",
  '{{',
  '${x}',
  '..',
];

const long = fc
  .tuple(fc.constantFrom(...units), sizes)
  .map(([unit, size]) => unit.repeat(Math.ceil(size / unit.length)));

const named = fc.constantFrom(
  '',
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'null',
  'NaN',
  '-0',
  '1e400',
  '00000000-0000-0000-0000-000000000000',
  '2026-02-30T25:61:61Z',
  '0001-01-01T00:00:00Z',
  '292278994-08-17T07:12:55.808Z',
  'Hostname|internet|\u001B[31mred\u001B[0m.nl',
);

export const hostileString: fc.Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: named },
  { weight: 3, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }) },
  { weight: 2, arbitrary: long },
  // Half a pair, which is no text at all.
  { weight: 1, arbitrary: fc.string({ maxLength: 5 }).map((text) => `${text}\uDC00`) },
);

const hostileNumber = fc.oneof(
  fc.constantFrom(-1, 0, 1.5, 2 ** 31, -(2 ** 31) - 1, 2 ** 53, 2 ** 64, 1e308, -1e308, 5e-324),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
);

/** JSON text nests so deep: built as text, since JSON.stringify would end at ten thousand. */
const nested = fc
  .tuple(
    fc.constantFrom<readonly [string, string]>(['[', ']'], ['{"a":', '}'], ['{"filters":', '}'], ['{"and":[', ']}']),
    fc.constantFrom(6, 50, 101, 5_000, 100_000),
  )
  .map(([[open, close], depth]) => `${open.repeat(depth)}1${close.repeat(depth)}`);

const scalar = fc.oneof(hostileString, hostileNumber, fc.constantFrom(null, true, false));

/** Copies of one element; together no more than a megabyte of JSON. */
function repeated<T>(element: T, times: number): T[] {
  const length = JSON.stringify(element)?.length ?? 4;
  return Array.from({ length: Math.max(1, Math.min(times, Math.floor(900_000 / (length + 1)))) }, () => element);
}

const times = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom(2, 20, 100, 101) },
  { weight: 3, arbitrary: fc.constantFrom(1_001, 10_001) },
  { weight: 1, arbitrary: fc.constantFrom(30_000, 200_000) },
);

export const many = <T>(element: fc.Arbitrary<T>) => fc.tuple(element, times).map(([of, count]) => repeated(of, count));

const keys = fc
  .tuple(fc.constantFrom('k', '__proto__', 'é'), times)
  .map(([key, count]) => Object.fromEntries(repeated(0, count).map((value, at) => [`${key}${at}`, value])));

const own = (key: string, value: unknown) => Object.defineProperty({}, key, { value, enumerable: true });

export const hostileValue: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 6, arbitrary: scalar },
  { weight: 2, arbitrary: fc.constantFrom<unknown>({}, [], [[]], [{}], [null], { a: { b: { c: [{}] } } }) },
  { weight: 1, arbitrary: many(fc.oneof(scalar, fc.constantFrom<unknown>({}, []))) },
  { weight: 1, arbitrary: keys },
  { weight: 1, arbitrary: fc.tuple(hostileString, scalar).map(([key, value]) => own(key, value)) },
  { weight: 1, arbitrary: scalar.map((value) => own('__proto__', value)) },
);

/** Bytes that are no JSON, or barely. */
export const hostileBytes: fc.Arbitrary<Uint8Array> = fc
  .oneof(
    nested,
    fc.constantFrom('', ' ', '{', '{"a":1,"a":2}', '[1,]', 'NaN', '"\\ud800"', '\uFEFF{}', '{}{}', 'null', '1', '"x"'),
    fc.uint8Array({ maxLength: 30 }),
    fc.constantFrom(new Uint8Array([0xff, 0xfe]), new Uint8Array([0x7b, 0x22, 0xc3, 0x28, 0x22, 0x3a, 0x31, 0x7d])),
    long,
  )
  .map((given) => (typeof given === 'string' ? new TextEncoder().encode(given) : given));

export function jsonBytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value) ?? '');
}
