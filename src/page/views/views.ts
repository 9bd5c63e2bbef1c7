import type { View } from '../page.ts';
import { job } from './job.ts';
import { machinery } from './machinery.ts';
import { overview } from './overview.ts';
import { search } from './search.ts';
import { task } from './task.ts';
import { tasks } from './tasks.ts';
import { why } from './why.ts';

/** Every page by its path. */
export const views: Readonly<Record<string, View>> = {
  '/': overview,
  '/tasks': tasks,
  '/tasks/:id': task,
  '/jobs/:id': job,
  '/search': search,
  '/machinery': machinery,
  '/why': why,
};
