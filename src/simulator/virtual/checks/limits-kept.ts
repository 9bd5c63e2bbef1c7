import { concerns, keyOf as limitKeyOf } from '../../../queue/limits/limit.ts';
import { limitedOf, type SimulatedLimit } from '../queue/limiter.ts';
import type { Journal } from '../journal.ts';
import { about, inMinutes, type Row } from '../queue/rows.ts';
import type { Unit } from '../queue/scheduler-tasks.ts';

/** Until a window that closed is looked at. */
const closingMs = 2_000;

/**
 * Whether claims keep limits and windows, by a record of its own. A fault in src/queue/limits is not repeated here where a limit names
 * schedulers and plug-ins alone, and its key the organisation or nothing; of others the key and the tasks are those that that code says.
 */
export class LimitsKept {
  readonly #journal: Journal;
  readonly #limits: readonly SimulatedLimit[];
  readonly #now: () => number;
  /** By key: units under way, with how many tasks of each. */
  readonly #underWay = new Map<string, Map<string, number>>();
  /** By key: times of the last claims. */
  readonly #claims = new Map<string, number[]>();

  constructor(journal: Journal, limits: readonly SimulatedLimit[], now: () => number) {
    this.#journal = journal;
    this.#limits = limits;
    this.#now = now;
  }

  claimed(unit: Unit): void {
    for (const limit of this.#limits)
      for (const row of unit.filter((one) => isFor(limit, one))) this.#claimedBy(limit, row, unit);
  }

  #claimedBy(limit: SimulatedLimit, row: Row, unit: Unit): void {
    const key = keyOf(limit, row);
    const group = row.group ?? row.id;
    const units = this.#underWay.get(key) ?? new Map<string, number>();
    this.#underWay.set(key, units);
    const isFirst = !units.has(group);
    units.set(group, (units.get(group) ?? 0) + 1);
    if (limit.concurrency !== null && units.size > limit.concurrency)
      this.#journal.violate('limits', `${about(row)} is the ${units.size}th at once by ${limit.name}`);
    if (limit.spacingMs !== null && isFirst) this.#atItsRate(limit, limit.spacingMs, key, row);
    if (limit.hours !== null && !this.#isOpen(limit) && row === unit[0])
      this.#journal.violate('limits', `${about(row)} is handed out while ${limit.name} is closed`);
  }

  /** Of any burst + k claims in a row the last is at least k spacings after the first. */
  #atItsRate({ name, burst }: SimulatedLimit, spacingMs: number, key: string, row: Row): void {
    const times = this.#claims.get(key) ?? [];
    this.#claims.set(key, times);
    times.push(this.#now());
    if (times.length > burst + 5) times.shift();
    for (let k = 1; burst + k <= times.length; k += 1) {
      const took = times.at(-1)! - times.at(-(burst + k))!;
      if (took < k * spacingMs)
        this.#journal.violate('limits', `${about(row)}: ${burst + k} claims by ${name} within ${inMinutes(took)}`);
    }
  }

  #isOpen({ hours }: SimulatedLimit): boolean {
    if (hours === null || !('cron' in hours)) return true;
    // Once a day (limitsOf refuses others), and read without the code that opens it.
    const [minute, hour] = hours.cron.split(' ').map(Number) as [number, number];
    return [this.#now(), this.#now() - closingMs].some((at) => {
      const shown = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(hours.zone);
      const opens = (day: typeof shown) => day.with({ hour, minute, second: 0, millisecond: 0 }).epochMilliseconds;
      const opened = opens(shown) <= at ? opens(shown) : opens(shown.subtract({ days: 1 }));
      return at - opened < hours.seconds * 1_000;
    });
  }

  left(row: Row): void {
    for (const limit of this.#limits) {
      if (!isFor(limit, row)) continue;
      const units = this.#underWay.get(keyOf(limit, row));
      const group = row.group ?? row.id;
      const left = (units?.get(group) ?? 0) - 1;
      if (left > 0) units!.set(group, left);
      else units?.delete(group);
    }
  }

  /** The clock was set: claims of before say nothing of rates. */
  clockStepped(): void {
    this.#claims.clear();
  }
}

/** By its own reading where the limit names schedulers and plug-ins alone. */
function isFor(limit: SimulatedLimit, row: Row): boolean {
  const { scheduler, plugin, organisation, image, ooiType, exemptManual } = limit;
  if (organisation !== null || image !== null || ooiType !== null || exemptManual)
    return concerns(limit, limitedOf(row));
  return (
    (scheduler === null || row.scheduler === scheduler) &&
    (plugin === null || plugin.split(',').includes(row.plugin ?? ''))
  );
}

function keyOf(limit: SimulatedLimit, row: Row): string {
  const { name, template } = limit;
  const isOwn = !template.replaceAll('{organisation}', '').includes('{');
  if (!isOwn) return limitKeyOf(limit, limitedOf(row)).key;
  return template.includes('{organisation}') ? `${name} ${row.organisation}` : name;
}
