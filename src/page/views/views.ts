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
