import * as fc from 'fast-check';
import { z } from 'zod';
import { filterRequest } from './filter-arbitrary.ts';
import { hostileString, hostileValue, many, secret } from './hostile.ts';

/**
 * Inputs from the very schemas that validate: what an edge takes tomorrow is fuzzed tomorrow. Each part of a value is now and then
 * replaced by what the schema does not allow.
 */

/** The part of JSON Schema that zod writes. */
interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly anyOf?: readonly JsonSchema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly format?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly minimum?: number;
  readonly maximum?: number;
}

export interface World {
  /** Strings that mean something, by the name of their property. */
  readonly vocabulary: Readonly<Record<string, readonly string[]>>;
  /** Ids of tasks and schedules that there are. */
  readonly ids: readonly string[];
}

/**
 * @param name of the property or parameter that it describes, where it is one
 * @returns values that fit, and in three of four runs values of which parts do not
 */
export function arbitraryOf(schema: z.ZodType | JsonSchema, world: World, name = ''): fc.Arbitrary<unknown> {
  const json = schema instanceof z.ZodType ? jsonOf(schema) : schema;
  const fitting = part(json, name, world, 0);
  return fc.oneof({ weight: 1, arbitrary: fitting }, { weight: 3, arbitrary: part(json, name, world, 1) });
}

function jsonOf(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema;
}

/** @param spoilt how often, of nine, a part is replaced. */
function part(schema: JsonSchema, name: string, world: World, spoilt: number): fc.Arbitrary<unknown> {
  const fitting = fittingPart(schema, name, world, spoilt);
  if (spoilt === 0) return fitting;
  return fc.oneof({ weight: 9 - spoilt, arbitrary: fitting }, { weight: spoilt, arbitrary: hostileValue });
}

function fittingPart(schema: JsonSchema, name: string, world: World, spoilt: number): fc.Arbitrary<unknown> {
  if (Object.keys(schema.properties ?? {}).join() === 'filters') return filterRequest;
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  if ('const' in schema) return fc.constant(schema.const);
  if (schema.anyOf !== undefined) return fc.oneof(...schema.anyOf.map((arm) => part(arm, name, world, spoilt)));
  const types = [schema.type ?? []].flat();
  if (types.length === 0) return fc.oneof(fc.jsonValue({ maxDepth: 2 }), hostileValue);
  return fc.oneof(...types.map((type) => typed(type, schema, name, world, spoilt)));
}

function typed(type: string, schema: JsonSchema, name: string, world: World, spoilt: number): fc.Arbitrary<unknown> {
  switch (type) {
    case 'null':
      return fc.constant(null);
    case 'boolean':
      return fc.boolean();
    case 'integer':
      return fc.integer({ min: bound(schema.minimum, -100), max: bound(schema.maximum, 1_000) });
    case 'number':
      return fc.double({ min: schema.minimum ?? -100, max: schema.maximum ?? 1_000, noNaN: true });
    case 'string':
      return text(schema, name, world);
    case 'array':
      return list(part(schema.items ?? {}, name, world, spoilt), spoilt);
    default:
      return object(schema, name, world, spoilt);
  }
}

function bound(given: number | undefined, otherwise: number): number {
  return given === undefined ? otherwise : Math.max(-(2 ** 31), Math.min(given, 2 ** 31 - 1));
}

function text({ format }: JsonSchema, name: string, { vocabulary, ids }: World): fc.Arbitrary<string> {
  if (format === 'uuid' || name === 'ids') return fc.oneof(fc.constantFrom(...ids), fc.uuid());
  if (format === 'date-time') return fc.date({ noInvalidDate: true }).map((date) => date.toISOString());
  const known = vocabulary[name] ?? [];
  const foreign = fc.oneof(fc.string({ maxLength: 12 }), hostileString);
  if (known.length === 0) return foreign;
  return fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...known) }, { weight: 1, arbitrary: foreign });
}

function list(member: fc.Arbitrary<unknown>, spoilt: number): fc.Arbitrary<unknown> {
  const few = fc.array(member, { minLength: 1, maxLength: 4 });
  return spoilt === 0 ? few : fc.oneof({ weight: 9, arbitrary: few }, { weight: 1, arbitrary: many(member) });
}

function object(schema: JsonSchema, name: string, world: World, spoilt: number): fc.Arbitrary<unknown> {
  const properties = Object.entries(schema.properties ?? {});
  if (properties.length === 0) return dictionary;
  const parts = properties.map(([name, of]) => [name, part(of, name, world, spoilt)] as const);
  const requiredKeys = spoilt === 0 ? [...(schema.required ?? [])] : [];
  const record = fc.record(Object.fromEntries(parts), { requiredKeys });
  // Bytes sends what a boefje ran with, API keys too.
  const known = name === 'boefje_meta' ? record.map((meta) => ({ ...meta, environment: { KEY: secret } })) : record;
  if (spoilt === 0) return known;
  const more = fc.tuple(known, hostileString, hostileValue).map(([value, key, foreign]) => {
    Object.defineProperty(value, key, { value: foreign, enumerable: true, configurable: true });
    return value;
  });
  return fc.oneof({ weight: 8, arbitrary: known }, { weight: 1, arbitrary: more });
}

/** Data of a task: that of a boefje, and anything. */
const dictionary: fc.Arbitrary<unknown> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .record({
        boefje: fc.constantFrom('dns', 'nmap'),
        ooi: hostileString,
        organisation: fc.constantFrom('fuzz', 'other'),
      })
      .map(({ boefje, ooi, organisation }) => ({
        boefje: { id: boefje, environment: { KEY: secret } },
        input_ooi: ooi,
        organization: organisation,
      })),
  },
  {
    weight: 1,
    arbitrary: fc.dictionary(fc.oneof(fc.string({ maxLength: 8 }), fc.constant('environment')), hostileValue, {
      maxKeys: 5,
    }),
  },
);
