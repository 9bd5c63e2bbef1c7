import type { TaskData } from '../../tasks/task.ts';

/** What a task or schedule is about, in one cell each: plug-in (or recipe) and OOI. Data is whatever was stored. */
export function subjectOf(data: TaskData): { readonly plugin: string | null; readonly ooi: string | null } {
  const at = (...path: readonly string[]): string | null => {
    let value: unknown = data;
    for (const key of path) value = typeof value === 'object' && value !== null ? (value as TaskData)[key] : undefined;
    return typeof value === 'string' && value !== '' ? value : null;
  };
  return {
    plugin: at('boefje', 'id') ?? at('normalizer', 'id') ?? at('report_recipe_id'),
    ooi: at('input_ooi') ?? at('raw_data', 'boefje_meta', 'input_ooi'),
  };
}
