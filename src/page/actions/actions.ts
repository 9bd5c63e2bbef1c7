import type { Action } from '../page.ts';
import { drain, heap, killActor, logLevel, look, reschedule, restartActor } from './machinery.ts';
import { pause, resume } from './pauses.ts';
import { dropLetters, requeueLetters, rerank } from './queues.ts';
import { runNow } from './why.ts';

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
};
