/**
 * Preloaded (`node --import`) into a process and each of its threads, it makes their wall clock wrong by
 * WALL_CLOCK_AHEAD_MS: `Date` and `performance.timeOrigin`, which are JavaScript's only sources of the time of day.
 */
const aheadMs = Number(process.env['WALL_CLOCK_AHEAD_MS']);
const RightDate = Date;
const right = Date.now;

class WrongDate extends RightDate {
  constructor(...given: [] | [number]) {
    if (given.length === 0) super(WrongDate.now());
    else super(...given);
  }

  static override now(): number {
    return right() + aheadMs;
  }
}

globalThis.Date = WrongDate as DateConstructor;
Object.defineProperty(performance, 'timeOrigin', { value: performance.timeOrigin + aheadMs });
