import { type FilterTarget, resolveColumn, type ServedColumn } from './columns.ts';
import {
  type Filter,
  filterOperators,
  type FilterRequest,
  groupsOf,
  invalidFilter,
  requireWithinBudget,
} from './filter.ts';
import { compare } from './operators.ts';

interface CompileOptions {
  /** Aliases that the text expects: `queue q`, `tasks t`, `schedules s`. */
  readonly target: FilterTarget;
  /** Number of the first placeholder. */
  readonly firstParameter: number;
  /**
   * For `queue`: the type of the scheduler's tasks. Only then do `boefje__id`, `boefje__oci_image`, `normalizer__id` and
   * `report_recipe_id` read the queue's own indexed columns; those of another type read the task's data.
   */
  readonly taskType?: string;
}

export interface CompiledFilter {
  /** A boolean expression, complete on its own; `true` where nothing is filtered. */
  readonly text: string;
  /** Strings and arrays of strings, in the order of the placeholders. */
  readonly values: readonly (string | readonly string[])[];
  /**
   * For `queue`: every condition asks one of the queue's own columns for few values, so that an index in pop order leads to
   * the tasks. Anything else may read the whole queue, and each task's data, before it finds one.
   */
  readonly indexed: boolean;
  /** For `queue`: every condition asks for images, so that what it finds of an image comes in the order of its ranks. */
  readonly onlyImages: boolean;
  /** For `queue`: the images that a condition asks for; null where none does. */
  readonly images: readonly string[] | null;
  /**
   * For `queue`: one column must be one of several values, which no index returns in pop order. Claim by merging one
   * ordered scan per value (`column = value AND text`), instead of sorting everything that matches.
   */
  readonly merge?: { readonly column: ServedColumn; readonly values: readonly string[] };
}

/**
 * mula's filter language as SQL with bound parameters. Groups are ANDed; `not` means that none of its filters holds
 * (mula takes one only). A filter on a relationship holds where a related row exists that satisfies it, in a `not` group:
 * one that does not.
 * @throws RotaError INVALID_FILTER that names column and operator.
 */
export function compileFilter(request: FilterRequest, options: CompileOptions): CompiledFilter {
  requireWithinBudget(request.filters);
  const values: (string | readonly string[])[] = [];
  const bind = (value: string | readonly string[]) => `$${options.firstParameter + values.push(value) - 1}`;
  const merges: NonNullable<CompiledFilter['merge']>[] = [];
  let indexed = true;
  let onlyImages = true;
  let images: readonly string[] | null = null;

  const condition = (filter: Filter, group: 'and' | 'or' | 'not'): string => {
    if (!operators.has(filter.operator)) throw invalidFilter(filter, `no such operator`);
    const column = resolveColumn(options.target, filter, options.taskType, bind);
    const comparison = compare(column.operand, filter, bind);
    if (column.served !== undefined && group === 'and' && isMembership(filter)) {
      const distinct = [...new Set(filter.value as string[])];
      if (distinct.length > 1 && distinct.length <= mostScans) merges.push({ column: column.served, values: distinct });
    }
    indexed &&= column.served !== undefined && group === 'and' && asksForFew(filter);
    const asksForImages = column.served === 'image' && group === 'and' && asksForFew(filter);
    onlyImages &&= asksForImages;
    if (asksForImages) images ??= [filter.value].flat() as string[];
    return column.within(group === 'not' ? `NOT (${comparison})` : comparison);
  };

  const { and = [], or = [], not = [] } = groupsOf(request);
  const terms = [
    ...and.map((filter) => condition(filter, 'and')),
    ...(or.length === 0
      ? []
      : [`(${or.map((filter) => condition(filter, or.length === 1 ? 'and' : 'or')).join(' OR ')})`]),
    ...not.map((filter) => condition(filter, 'not')),
  ];
  // Fewest scans: of two lists the shorter one is merged, the other filters.
  const merge = merges.sort((a, b) => a.values.length - b.values.length)[0];
  return {
    text: terms.length === 0 ? 'true' : `(${terms.join(' AND ')})`,
    values,
    indexed: indexed && terms.length > 0,
    onlyImages,
    images,
    ...(merge === undefined ? {} : { merge }),
  };
}

const operators: ReadonlySet<string> = new Set(filterOperators);
/** A runner serves some images; planning grows with the square of their number (5 000 take two seconds). */
const mostScans = 64;

function isMembership(filter: Filter): boolean {
  return (filter.operator === 'in' || filter.operator === 'any') && Array.isArray(filter.value);
}

function asksForFew(filter: Filter): boolean {
  if (isMembership(filter)) return (filter.value as unknown[]).length <= mostScans;
  return (filter.operator === '==' || filter.operator === 'eq') && typeof filter.value === 'string';
}
