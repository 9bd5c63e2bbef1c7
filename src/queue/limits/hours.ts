import { nextRun, cronFault } from '../../tasks/cron.ts';

/** When a window is open: so long from each of its starts on, or always but for a while. In wall-clock time of a zone. */
export type Hours =
  | { readonly zone: string; readonly cron: string; readonly seconds: number }
  /** Closed from then until then: wall-clock times as `2026-12-24T08:00`. */
  | { readonly zone: string; readonly from: string; readonly until: string };

export interface WindowState {
  readonly open: boolean;
  /** When that changes, in epoch milliseconds; null: never. */
  readonly until: number | null;
}

/** Overlapping openings are one; more than so many of them are open for good as far as can be told. */
const mostJoined = 1_000;

export function zoneFault(zone: string): string | null {
  try {
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(zone);
    return null;
  } catch {
    return `unknown time zone ${JSON.stringify(zone)}: expected a name such as Europe/Amsterdam or UTC`;
  }
}

/** Why a window makes no sense, in a sentence; null where it does. */
export function hoursFault(hours: Hours, now: number): string | null {
  const zone = zoneFault(hours.zone);
  if (zone !== null) return zone;
  if ('cron' in hours) {
    const fault = cronFault(hours.cron, new Date(wallOf(now, hours.zone)));
    if (fault !== null) return `it never opens: ${fault}`;
    return hours.seconds >= 1 ? null : 'it never opens: its duration is 0';
  }
  const [from, until] = [instantOf(hours.from, hours.zone), instantOf(hours.until, hours.zone)];
  if (from === null || until === null || [hours.from, hours.until].some((time) => !/^\d{4}-/.test(time)))
    return 'expected wall-clock times such as 2026-12-24T08:00, without Z: the zone is its own';
  if (until <= from) return 'it ends before it begins';
  return until <= now ? 'it has ended already' : null;
}

/** What was found of windows: an answer holds until it changes, and a cron's takes up to a thousand starts to find. */
const found = new Map<string, { readonly from: number; readonly state: WindowState }>();
const mostFound = 2_000;

/** Whether a window is open at an instant, and until when. */
export function windowAt(hours: Hours, now: number): WindowState {
  const key = JSON.stringify(hours);
  const last = found.get(key);
  if (last !== undefined && last.from <= now && now < (last.state.until ?? Number.POSITIVE_INFINITY)) return last.state;
  const state = findState(hours, now);
  if (found.size >= mostFound) found.clear();
  found.set(key, { from: now, state });
  return state;
}

function findState(hours: Hours, now: number): WindowState {
  if ('cron' in hours) return openedBy(hours, now);
  const [from, until] = [instantOf(hours.from, hours.zone)!, instantOf(hours.until, hours.zone)!];
  if (now < from) return { open: true, until: from };
  return now < until ? { open: false, until } : { open: true, until: null };
}

function openedBy({ zone, cron, seconds }: Extract<Hours, { cron: string }>, now: number): WindowState {
  const length = seconds * 1_000;
  // The clock may have been set back an hour in between: one start more is looked at.
  let start = nextStart(cron, zone, now - length - 7_200_000);
  while (start !== null && start + length <= now) start = nextStart(cron, zone, start);
  if (start === null) return { open: false, until: null };
  if (start > now) return { open: false, until: start };
  let end = start + length;
  for (let joined = 0; joined < mostJoined; joined += 1) {
    start = nextStart(cron, zone, start);
    if (start === null || start > end) break;
    end = start + length;
  }
  return { open: true, until: end };
}

/**
 * The first start strictly after an instant: the cron runs on the wall clock of the zone. A time that the zone leaves out is the one as
 * much later, one that it has twice is the first.
 */
function nextStart(cron: string, zone: string, after: number): number | null {
  let wall = new Date(wallOf(after, zone));
  for (;;) {
    try {
      wall = nextRun(cron, wall);
    } catch {
      return null;
    }
    const instant = instantOf(wall.toISOString().slice(0, -1), zone)!;
    // Where an hour comes twice its second pass is behind its first.
    if (instant > after) return instant;
  }
}

/** What a clock on the wall shows, as if that were UTC. */
function wallOf(instant: number, zone: string): number {
  const shown = Temporal.Instant.fromEpochMilliseconds(Math.floor(instant)).toZonedDateTimeISO(zone).toPlainDateTime();
  return shown.toZonedDateTime('UTC').epochMilliseconds;
}

function instantOf(wall: string, zone: string): number | null {
  try {
    return Temporal.PlainDateTime.from(wall).toZonedDateTime(zone, { disambiguation: 'compatible' }).epochMilliseconds;
  } catch {
    return null;
  }
}
