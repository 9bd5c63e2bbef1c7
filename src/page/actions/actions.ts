import type { Action } from '../page.ts';
import { pause, resume } from './pauses.ts';

/** Every action by its name in `/do/<name>`. */
export const actions: Readonly<Record<string, Action>> = {
  pause,
  resume,
};
