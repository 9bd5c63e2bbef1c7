import type { TaskStatus } from '../../tasks/task.ts';

const ooiOf: ReadonlyMap<string, string> = new Map([
  ['boefje', `(t.data ->> 'input_ooi')`],
  ['normalizer', `(t.data #>> '{raw_data,boefje_meta,input_ooi}')`],
]);

const pluginOf: ReadonlyMap<string, string> = new Map([
  ['boefje', `(t.data -> 'boefje' ->> 'id')`],
  ['normalizer', `(t.data -> 'normalizer' ->> 'id')`],
  ['report', `(t.data ->> 'report_recipe_id')`],
]);

/** Tasks of that type are each about an OOI, which is in the partial index of OOIs or needs none. */
export function hasOoi(type: string): boolean {
  return ooiOf.has(type);
}

/** Of alias t, of tasks of that type; of any without one. */
export const ooiExpression = (type: string | undefined): string => expression(ooiOf, type);
export const pluginExpression = (type: string | undefined): string => expression(pluginOf, type);

/** A pattern of ILIKE: wild cards in the text are taken literally. */
export function containsText(text: string): string {
  return `%${text.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`;
}

/** As a literal of SQL. */
export function labelOf(status: TaskStatus): string {
  return `'${status.toUpperCase()}'`;
}

function expression(byType: ReadonlyMap<string, string>, type: string | undefined): string {
  return byType.get(type ?? '') ?? `coalesce(${[...byType.values()].join(', ')})`;
}
