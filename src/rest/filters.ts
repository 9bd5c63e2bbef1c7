import { excessOf, type Filter, filterOperators, type FilterRequest } from '../queue/filter/filter.ts';
import { RotaError } from '../errors.ts';
import { filterDescription, filterGroups, type filterMembers } from '../queue/filter/schema.ts';
import { excerpt } from '../printable.ts';
import {
  below,
  fault,
  type Fault,
  read,
  type Reader,
  type Reading,
  field,
  decimal,
  dictionary,
  flag,
  integer,
  isObject,
  text,
  timestamp,
} from './fields.ts';
import { budgets } from './budgets.ts';

/**
 * mula's FilterRequest as a body (kat-contract §1), read by the members and groups of src/queue/filter/schema.ts. A union reports the
 * faults of every arm, with the arm's name in `loc`, as pydantic does. Unknown keys are ignored.
 */

const notAModel = (): Reading<never> =>
  fault('model_attributes_type', 'Input should be a valid dictionary or object to extract fields from');

/** `FilterRequest | null`. Groups other than and, or, not pass here: `checkGroups` refuses them with 400. */
const readRequest: Reader<FilterRequest | null> = (value) => {
  if (value === null) return read(null);
  if (!isObject(value)) return notAModel();
  if (!('filters' in value)) return nested(missing('filters', value));
  const filters = value['filters'];
  const excess = excessOf(filters);
  if (excess !== null) {
    return nested([
      { type: 'filter_budget', msg: `Input should have ${excess.message}`, path: ['filters', ...excess.path] },
    ]);
  }
  const asList = listOf(readFilter)(filters);
  if (asList.ok) return read({ filters: asList.value });
  const asGroups = readGroups(filters);
  if (asGroups.ok) return read({ filters: asGroups.value });
  return nested([
    ...below(asList.faults, ['filters', 'list[Filter]'], filters),
    ...below(asGroups.faults, ['filters', 'dict[str,list[Filter]]'], filters),
  ]);
};

const readGroups: Reader<Record<string, Filter[]>> = (value) => {
  const reading = dictionary(value);
  if (!reading.ok) return reading;
  const faults: Fault[] = [];
  const groups: [string, Filter[]][] = [];
  for (const [group, filters] of Object.entries(reading.value)) {
    const members = listOf(readFilter)(filters);
    if (members.ok) groups.push([group, members.value]);
    else faults.push(...below(members.faults, [group], filters));
  }
  // Not by assignment, for which `__proto__` is no key.
  return faults.length === 0 ? read(Object.fromEntries(groups)) : nested(faults);
};

const operators: ReadonlySet<unknown> = new Set(filterOperators);
const quoted = filterOperators.map((operator) => `'${operator}'`);
const expected = `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}`;

const readFilter: Reader<Filter> = (value) => {
  if (!isObject(value)) {
    return fault('model_type', 'Input should be a valid dictionary or instance of Filter', { class_name: 'Filter' });
  }
  const faults: Fault[] = [];
  for (const [key, reader] of Object.entries(memberReaders)) {
    const member = value[key];
    if (key in value) {
      const reading = reader(member);
      if (!reading.ok) faults.push(...below(reading.faults, [key], member));
    } else if (key !== 'field') faults.push(...missing(key, value));
  }
  return faults.length === 0 ? read(value as unknown as Filter) : nested(faults);
};

const readOperator: Reader<string> = (value) =>
  operators.has(value) ? read(value as string) : fault('literal_error', `Input should be ${expected}`, { expected });

const scalarArms: readonly (readonly [string, Reader<unknown>])[] = [
  ['str', text],
  ['int', integer],
  ['float', decimal],
  ['bool', flag],
  ['datetime', timestamp],
];
const onlyNull: Reader<null> = (value) =>
  value === null ? read(value) : fault('none_required', 'Input should be None');
const listArms: typeof scalarArms = [...scalarArms, ['none', onlyNull]];

/** A scalar, null, or a list whose members are all of one kind. */
const readValue: Reader<unknown> = (value) => {
  if (value === null) return read(value);
  const faults: Fault[] = [];
  for (const [arm, reader] of scalarArms) {
    const reading = reader(value);
    if (reading.ok) return read(value);
    faults.push(...below(reading.faults, [arm], value));
  }
  for (const [arm, reader] of listArms) {
    const reading = listOf(reader)(value);
    if (reading.ok) return read(value);
    faults.push(...below(reading.faults, [`list[${arm}]`], value));
  }
  return nested(faults);
};

const memberReaders: Readonly<Record<keyof typeof filterMembers, Reader<unknown>>> = {
  column: text,
  field: (value) => (value === null ? read(value) : text(value)),
  operator: readOperator,
  value: readValue,
};

function listOf<T>(reader: Reader<T>): Reader<T[]> {
  return (value) => {
    if (!Array.isArray(value)) return fault('list_type', 'Input should be a valid list');
    const faults: Fault[] = [];
    const members: T[] = [];
    for (const [index, member] of value.entries()) {
      const reading = reader(member);
      if (reading.ok) members.push(reading.value);
      else faults.push(...below(reading.faults, [index], member));
      if (faults.length >= budgets.faults) break;
    }
    return faults.length === 0 ? read(members) : nested(faults);
  };
}

function missing(key: string, parent: unknown): Fault[] {
  return [{ type: 'missing', msg: 'Field required', path: [key], input: parent }];
}

function nested(faults: readonly Fault[]): Reading<never> {
  return { ok: false, faults };
}

export const filterBody = () => field(readRequest, filterDescription);
export const nullableFilterBody = () => field(readRequest, { ...filterDescription, type: ['object', 'null'] });

/** @throws RotaError INVALID_FILTER for an unknown group. */
export function checkGroups(request: FilterRequest | null | undefined): FilterRequest | null {
  if (request === null || request === undefined) return null;
  if (Array.isArray(request.filters)) return request;
  const unknown = Object.keys(request.filters).find((name) => !(filterGroups as readonly string[]).includes(name));
  if (unknown === undefined) return request;
  const name = excerpt(unknown, 100);
  throw new RotaError('INVALID_FILTER', `no such group: ${name} (expected ${filterGroups.join(', ')})`, {
    fields: { group: name },
  });
}
