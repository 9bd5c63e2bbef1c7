import { excessOf, type Filter, filterOperators, type FilterRequest } from '../queue/filter/filter.ts';
import { RotaError } from '../errors.ts';
import { excerpt } from '../excerpt.ts';
import { below, fault, type Fault, mostFaults, read, type Reader, type Reading } from './fault.ts';
import { field } from './fields.ts';
import { decimal, dictionary, flag, integer, isObject, text, timestamp } from './scalars.ts';

/**
 * mula's FilterRequest as a body (kat-contract §1). Its unions say of every arm why it does not fit, and put the arm's
 * name into `loc`, as pydantic does. Unknown keys are ignored. What a column or operator means is the queue's to say.
 */

const notAModel = (): Reading<never> =>
  fault('model_attributes_type', 'Input should be a valid dictionary or object to extract fields from');

/** `FilterRequest | null`. Groups other than and, or, not are let through to `toFilterRequest`. */
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
  const member = (key: string, reader: Reader<unknown>) => {
    if (!(key in value)) faults.push(...missing(key, value));
    else {
      const reading = reader(value[key]);
      if (!reading.ok) faults.push(...below(reading.faults, [key], value[key]));
    }
  };
  member('column', text);
  if (value['field'] !== undefined && value['field'] !== null) member('field', text);
  member('operator', readOperator);
  member('value', readValue);
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

function listOf<T>(reader: Reader<T>): Reader<T[]> {
  return (value) => {
    if (!Array.isArray(value)) return fault('list_type', 'Input should be a valid list');
    const faults: Fault[] = [];
    const members: T[] = [];
    for (const [index, member] of value.entries()) {
      const reading = reader(member);
      if (reading.ok) members.push(reading.value);
      else faults.push(...below(reading.faults, [index], member));
      if (faults.length >= mostFaults) break;
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

const filterDescription = {
  type: 'object',
  required: ['column', 'operator', 'value'],
  properties: {
    column: { type: 'string', description: 'a column, or a relationship (`schedule` of tasks, `tasks` of schedules)' },
    field: { type: ['string', 'null'], description: 'path into JSON, steps joined by `__`, or a related column' },
    operator: { type: 'string', enum: [...filterOperators] },
    value: { description: 'a scalar, null, or a list of one kind' },
  },
};
const filterList = { type: 'array', items: filterDescription };
const description = {
  type: 'object',
  required: ['filters'],
  properties: {
    filters: {
      anyOf: [filterList, { type: 'object', properties: { and: filterList, or: filterList, not: filterList } }],
    },
  },
};

export const filterBody = () => field(readRequest, description);
export const nullableFilterBody = () => field(readRequest, { ...description, type: ['object', 'null'] });

const groupNames = new Set(['and', 'or', 'not']);

/** @throws RotaError INVALID_FILTER for a group that there is not. */
export function checkGroups(request: FilterRequest | null | undefined): FilterRequest | null {
  if (request === null || request === undefined) return null;
  if (Array.isArray(request.filters)) return request;
  const unknown = Object.keys(request.filters).find((name) => !groupNames.has(name));
  if (unknown === undefined) return request;
  const name = excerpt(unknown, 100);
  throw new RotaError('INVALID_FILTER', `no such group: ${name} (expected and, or, not)`, { fields: { group: name } });
}
