import type { SchedulerView } from '../protocol/operator-status.ts';
import type { PauseView } from '../protocol/operator.ts';
import { age } from './wording.ts';

/** How work goes through a scheduler, in a word. */
export interface Flow {
  readonly word: 'flows' | 'idle' | 'falls behind' | 'stands' | 'held' | 'unknown';
  /** Where it is not as it should be. */
  readonly why: string | null;
}

/** More in than out by so much, and the queue grows faster than rates differ by chance. */
const behind = 1.2;
/** Of five minutes: fewer tell too little about a rate. */
const fewestMore = 10;
/** Workers that are busy ask again within it, and what was just pushed has waited less. */
const standsSeconds = 60;

/** Of what the database and all supervisors say; `paused`: all of the scheduler. */
export function flowOf(scheduler: SchedulerView, paused: boolean): Flow {
  const { queued, held, in_per_second: into, out_per_second: out, oldest_seconds: oldest, lately } = scheduler;
  if (queued === null) return { word: 'unknown', why: 'the database does not answer' };
  const waiting = queued - (held ?? 0);
  if (waiting <= 0 && (paused || (held ?? 0) > 0))
    return { word: 'held', why: 'a pause or a limit holds what is queued' };
  if (waiting <= 0) return { word: out > 0 ? 'flows' : 'idle', why: null };
  if (paused) return { word: 'held', why: 'the scheduler is paused' };
  const { out_seconds_ago: ago } = scheduler;
  // A pop whose time is stored later counts, and so does one of a supervisor that does not answer.
  const none = out === 0 && (ago ?? Number.POSITIVE_INFINITY) >= standsSeconds;
  if (none && (oldest ?? standsSeconds) >= standsSeconds) return { word: 'stands', why: whyItStands(scheduler) };
  if (lately !== null && into > behind * out) {
    const { in_per_second: longIn, out_per_second: longOut } = lately;
    if (longIn > behind * longOut && (longIn - longOut) * 300 >= fewestMore)
      return { word: 'falls behind', why: 'for five minutes more has come in than gone out' };
  }
  return { word: 'flows', why: null };
}

function whyItStands({ waiters, asked_at: asked, out_seconds_ago: ago }: SchedulerView): string {
  if (waiters > 0) return 'workers ask, and their filters match none of it';
  if (asked === null) return 'nobody asks for its tasks';
  return ago === null ? 'none was handed out in ten minutes' : `none was handed out for ${age(ago)}`;
}

/** Whether all of a scheduler is paused. */
export function isPaused({ id }: Pick<SchedulerView, 'id'>, pauses: readonly PauseView[]): boolean {
  return pauses.some((it) => it.scheduler === id && it.organisation === null && it.boefje === null);
}
