import type { Action } from '../page.ts';
import { purge, setWeight } from './organisations.ts';
import { pause, resume } from './pauses.ts';
import { taskActions } from './tasks.ts';
import { drain, heap, killActor, logLevel, look, reschedule, restartActor } from './machinery.ts';
import { dropLetters, requeueLetters, rerank } from './queues.ts';
import { runNow } from './why.ts';
import { changeSchedules, setCron } from './schedules.ts';

/** Every action by its name in `/do/<name>`. */
export const actions: Readonly<Record<string, Action>> = {
  pause,
  resume,
  'restart-actor': restartActor,
  'kill-actor': killActor,
  heap,
  'log-level': logLevel,
  look,
  reschedule,
  drain,
  rerank,
  'requeue-letters': requeueLetters,
  'drop-letters': dropLetters,
  'run-now': runNow,
  ...taskActions,
  purge,
  'set-weight': setWeight,
  'change-schedules': changeSchedules,
  'set-cron': setCron,
};
