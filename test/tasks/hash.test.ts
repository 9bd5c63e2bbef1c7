import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
// @ts-expect-error -- it comes without types
import untyped from 'murmurhash3js-revisited';
import { describe, expect, test } from 'vitest';
import { taskTypeOf } from '../../src/tasks/data.ts';
import { murmur128 } from '../../src/tasks/murmur3.ts';

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

test('any text has the hash that another implementation gives it', () => {
  const { x64 } = untyped as { readonly x64: { hash128(bytes: Uint8Array): string } };
  const reversed = (half: string) => Buffer.from(half, 'hex').reverse().toString('hex');
  // It answers both halves with their highest byte first.
  const expected = (text: string) => {
    const hex = x64.hash128(new TextEncoder().encode(text));
    return reversed(hex.slice(0, 16)) + reversed(hex.slice(16));
  };
  const text = fc.oneof(fc.string({ maxLength: 60 }), fc.string({ unit: 'binary', maxLength: 150 }));
  fc.assert(
    fc.property(text, (any) => murmur128(any) === expected(any)),
    { numRuns: 150 },
  );
});
