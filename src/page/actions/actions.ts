import type { Action } from '../page.ts';
import { pause, resume } from './pauses.ts';
import { taskActions } from './tasks.ts';
import { runNow } from './why.ts';

/** Every action by its name in `/do/<name>`. */
export const actions: Readonly<Record<string, Action>> = {
  pause,
  resume,
  'run-now': runNow,
  ...taskActions,
};
