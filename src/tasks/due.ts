/**
 * The clock by which due schedules are examined, in epoch milliseconds. That their deadlines have passed is the
 * database's word: a clock that is behind by a millisecond would find a cron's deadline ahead, and run it once more for
 * the same one.
 */
export function clockOfDue<Clock extends { now(): number }>(
  clock: Clock,
  due: readonly { readonly deadlineAt: number | null }[],
): Clock {
  const passed = Math.max(...due.map(({ deadlineAt }) => deadlineAt ?? 0));
  return { ...clock, now: () => Math.max(clock.now(), passed) };
}
