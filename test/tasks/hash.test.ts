import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
// @ts-expect-error -- it comes without types
import untyped from 'murmurhash3js-revisited';
import { describe, expect, test } from 'vitest';
import { taskTypeOf } from '../../src/tasks/data.ts';
import { murmur128 } from '../../src/tasks/murmur128.ts';

type Vector = Record<string, string | null> & { kind: string };

const vectors = JSON.parse(
  readFileSync(new URL('../fixtures/hash-vectors.json', import.meta.url), 'utf8'),
) as readonly Vector[];

describe('hashes equal those that mula stored', () => {
  test.each(vectors.filter(({ kind }) => kind === 'mmh3.hash_bytes'))('of the text $input', ({ input, hex }) => {
    expect(murmur128(input!)).toBe(hex);
  });

  test.each(vectors.filter(({ kind }) => kind === 'BoefjeTask'))('of the boefje task $hashed_string', (vector) => {
    const type = taskTypeOf('boefje');
    const data = type.schema.parse({
      boefje: { id: vector['boefje.id'] },
      input_ooi: vector['input_ooi'],
      organization: vector['organization'],
    });
    expect(type.hash(data)).toBe(vector['hash']);
  });

  test.each(vectors.filter(({ kind }) => kind === 'NormalizerTask'))(
    'of the normalizer task $hashed_string',
    (vector) => {
      const type = taskTypeOf('normalizer');
      const data = type.schema.parse({
        normalizer: { id: vector['normalizer.id'] },
        raw_data: {
          id: '00000000-0000-0000-0000-000000000001',
          boefje_meta: {
            id: vector['raw_data.boefje_meta.id'],
            boefje: { id: 'dns-records' },
            organization: vector['raw_data.boefje_meta.organization'],
          },
          mime_types: [],
        },
      });
      expect(type.hash(data)).toBe(vector['hash']);
    },
  );

  test.each(vectors.filter(({ kind }) => kind === 'ReportTask'))('of the report task $hashed_string', (vector) => {
    const type = taskTypeOf('report');
    const data = type.schema.parse({
      report_recipe_id: vector['report_recipe_id'],
      organisation_id: vector['organisation_id'],
    });
    expect(type.hash(data)).toBe(vector['hash']);
  });
});

test('a scheduler of its own type gets one hash for equal data, whatever the order of the keys', () => {
  const type = taskTypeOf('sweep');
  expect(type.hash({ a: 1, b: { c: 2, d: 3 } })).toBe(type.hash({ b: { d: 3, c: 2 }, a: 1 }));
  expect(type.hash({ a: 1 })).not.toBe(type.hash({ a: 2 }));
});

test('the hash of any text is that of another implementation, on either side of the length up to which it needs no memory', () => {
  const other: { readonly x64: { hash128(bytes: Uint8Array): string } } = untyped;
  const halves = (text: string) => other.x64.hash128(new TextEncoder().encode(text)).match(/.{16}/g)!;
  const littleEndian = (hex: string) => Buffer.from(hex, 'hex').reverse().toString('hex');
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 100 }),
    fc.string({ unit: 'grapheme' }),
    fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units)),
    fc
      .tuple(fc.string({ minLength: 1 }), fc.integer({ min: 2_700, max: 2_760 }))
      .map(([part, length]) => part.repeat(length).slice(0, length)),
  );
  fc.assert(
    fc.property(text, (given) => {
      expect(murmur128(given)).toBe(halves(given).map(littleEndian).join(''));
    }),
    { numRuns: 500 },
  );
});
