import type { View } from '../page.ts';
import { job } from './job.ts';
import { machinery } from './machinery.ts';
import { organisation } from './organisation.ts';
import { organisations } from './organisations.ts';
import { overview } from './overview.ts';
import { search } from './search.ts';
import { task } from './task.ts';
import { tasks } from './tasks.ts';
import { why } from './why.ts';
import { schedule } from './schedule.ts';
import { schedules } from './schedules.ts';

/** Every page by its path. */
export const views: Readonly<Record<string, View>> = {
  '/': overview,
  '/tasks': tasks,
  '/tasks/:id': task,
  '/jobs/:id': job,
  '/search': search,
  '/machinery': machinery,
  '/why': why,
  '/organisations': organisations,
  '/organisations/:code': organisation,
  '/schedules': schedules,
  '/schedules/:id': schedule,
};

const patterns = Object.entries(views).map(([path, view]) => ({
  path,
  view,
  pattern: new URLPattern({ pathname: path }),
}));

/** A page, and what its address says. */
export interface FoundView {
  readonly path: string;
  readonly view: View;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
}

/** The page at a path and query, as the server's router finds it; null where there is none. */
export function viewAt(at: string): FoundView | null {
  const [path = '', query = ''] = at.split(/\?(.*)/s);
  const pathname = path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
  for (const { pattern, ...found } of patterns) {
    const groups = pattern.exec({ pathname })?.pathname.groups;
    if (groups === undefined) continue;
    try {
      const params = Object.entries(groups).map(([name, value]) => [name, decodeURIComponent(value ?? '')]);
      return { ...found, params: Object.fromEntries(params), query: Object.fromEntries(new URLSearchParams(query)) };
    } catch {
      return null;
    }
  }
  return null;
}
