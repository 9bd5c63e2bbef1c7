import type { SchedulerView } from '../protocol/operator-status.ts';

/** How work goes through a scheduler, in a word. */
export interface Flow {
  readonly word: 'flows' | 'idle' | 'falls behind' | 'stands' | 'held' | 'unknown';
  /** Where it is not as it should be. */
  readonly why: string | null;
}

/** More in than out by so much, and the queue grows faster than rates differ by chance. */
const behind = 1.2;

/** Of what the database and all supervisors say; `paused`: all of the scheduler. */
export function flowOf(scheduler: SchedulerView, paused: boolean): Flow {
  const {
    queued,
    held,
    waiters,
    in_per_second: into,
    out_per_second: out,
    per_second: lately,
    asked_at: asked,
  } = scheduler;
  if (queued === null) return { word: 'unknown', why: 'the database does not answer' };
  const waiting = queued - (held ?? 0);
  if (waiting <= 0)
    return paused || (held ?? 0) > 0 ? { word: 'held', why: 'a pause holds what is queued' } : idleOr(out);
  if (out === 0 && lately === null) {
    if (paused) return { word: 'held', why: 'the scheduler is paused' };
    const why =
      asked === null && waiters === 0 ? 'nobody asks for its tasks' : 'none was handed out in the last minutes';
    return { word: 'stands', why };
  }
  if (into > behind * Math.max(out, lately ?? 0)) return { word: 'falls behind', why: 'more comes in than goes out' };
  return { word: 'flows', why: null };
}

function idleOr(out: number): Flow {
  return { word: out > 0 ? 'flows' : 'idle', why: null };
}
