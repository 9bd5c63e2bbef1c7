import type { View } from '../page.ts';
import { machinery } from './machinery.ts';
import { organisation } from './organisation.ts';
import { organisations } from './organisations.ts';
import { overview } from './overview.ts';
import { why } from './why.ts';
import { schedule } from './schedule.ts';
import { schedules } from './schedules.ts';

/** Every page by its path. */
export const views: Readonly<Record<string, View>> = {
  '/': overview,
  '/machinery': machinery,
  '/why': why,
  '/organisations': organisations,
  '/organisations/:code': organisation,
  '/schedules': schedules,
  '/schedules/:id': schedule,
};
