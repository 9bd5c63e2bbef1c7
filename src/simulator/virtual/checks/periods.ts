import type { SchedulerSettings } from '../../../protocol/scheduler.ts';
import { isFinished } from '../../../tasks/task.ts';
import type { SimulatedBoefje } from '../../plugins.ts';
import type { KatState } from '../kat/kat-state.ts';
import type { Journal } from '../journal.ts';
import { about, inMinutes, ooiOf, type Row } from '../queue/rows.ts';
import { latenessMs, type FaultTimes } from '../fault-times.ts';

interface PeriodsOptions {
  readonly journal: Journal;
  readonly katState: KatState;
  readonly faultTimes: FaultTimes;
  readonly settings: SchedulerSettings;
  readonly now: () => number;
  /** When the simulation begins. */
  readonly began: number;
}

/** What is known of the runs of a boefje on an OOI. */
interface Pair {
  queuedAt: number;
  endedAt: number | null;
  /** In a row. */
  failures: number;
  row: Row;
}

const minute = 60_000;

/** Whether each boefje runs on each OOI as often as it is to, and no more often. */
export class Periods {
  readonly #options: PeriodsOptions;
  /** By organisation and boefje, and by OOI. */
  readonly #pairs = new Map<string, Map<string, Pair>>();
  /** By how much the database's clock was set. */
  #skewMs = 1_000;

  constructor(options: PeriodsOptions) {
    this.#options = options;
  }

  clockStepped(ms: number): void {
    this.#skewMs += Math.abs(ms);
  }

  queued(row: Row): void {
    const { journal, katState, settings } = this.#options;
    const now = this.#options.now();
    const pairs = this.#pairsOf(row.organisation, row.plugin!);
    const ooi = ooiOf(row.data) ?? '';
    const pair = pairs.get(ooi);
    if (pair === undefined) {
      pairs.set(ooi, { queuedAt: now, endedAt: null, failures: 0, row });
      return;
    }
    const plugin = katState.world.organisations.get(row.organisation)?.plugins.get(row.plugin!) as SimulatedBoefje;
    const isOwn = plugin.interval !== null || plugin.cron !== null;
    const sinceMs = pair.endedAt === null ? Infinity : now - pair.endedAt;
    const leastMs = settings.gracePeriodSeconds * 1_000;
    if (!row.asked && !isOwn && sinceMs < leastMs - this.#skewMs)
      journal.violate(
        'period',
        `${about(row)} is queued ${inMinutes(sinceMs)} after its last run, within its grace period`,
      );
    // Late, too: the audit may have passed by.
    if (ooi !== '' && katState.refusalOf(row.organisation, plugin.id, ooi) === null)
      this.#runs(row.organisation, plugin, ooi, pair);
    pair.queuedAt = now;
    pair.row = row;
  }

  ended(row: Row): void {
    const pair = this.#pairsOf(row.organisation, row.plugin!).get(ooiOf(row.data) ?? '');
    if (pair === undefined) return;
    pair.endedAt = this.#options.now();
    pair.failures = row.status === 'failed' ? pair.failures + 1 : 0;
  }

  /** Each pair that may run did, within its period. */
  audit(): void {
    const { katState } = this.#options;
    for (const organisation of katState.world.organisations.values()) {
      const boefjes = [...organisation.plugins.values()].filter((it) => it.type === 'boefje' && it.enabled);
      for (const plugin of boefjes as SimulatedBoefje[]) {
        const pairs = this.#pairsOf(organisation.id, plugin.id);
        for (const { objectType, level, reference } of organisation.objects.values())
          if (level !== null && level >= plugin.scan_level && plugin.consumes.includes(objectType))
            this.#runs(organisation.id, plugin, reference, pairs.get(reference));
      }
    }
  }

  #pairsOf(organisation: string, boefje: string): Map<string, Pair> {
    const key = `${organisation}\n${boefje}`;
    const known = this.#pairs.get(key);
    if (known !== undefined) return known;
    const pairs = new Map<string, Pair>();
    this.#pairs.set(key, pairs);
    return pairs;
  }

  #runs(organisation: string, plugin: SimulatedBoefje, ooi: string, pair: Pair | undefined): void {
    const { journal, katState, faultTimes, now } = this.#options;
    if (pair !== undefined && !isFinished(pair.row.status)) return;
    const longest = pair === undefined ? firstMs(plugin) : this.#longestMs(plugin, pair.failures);
    const last = Math.max(pair?.endedAt ?? 0, pair?.queuedAt ?? 0);
    // Of most that is all there is to look at.
    if (longest === null || now() - last <= longest) return;
    const permitted = Math.max(katState.since(organisation, plugin.id, ooi) ?? 0, this.#options.began);
    const since = Math.max(permitted, last);
    const lateMs = now() - since - longest;
    if (lateMs > latenessMs + this.#skewMs + faultTimes.allowanceMs(since, 'any'))
      journal.violate(
        'period',
        `${plugin.id} on ${ooi} in ${organisation} did not run for ${inMinutes(now() - since)}`,
      );
  }

  /** Null: not by time. */
  #longestMs(plugin: SimulatedBoefje, failures: number): number | null {
    const { gracePeriodSeconds, jitterSeconds } = this.#options.settings;
    if (plugin.run_on !== null && plugin.interval === null && plugin.cron === null) return null;
    if (plugin.cron !== null) return 86_400_000 + minute;
    const period = plugin.interval === null ? gracePeriodSeconds * 1_000 : plugin.interval * minute;
    const grown = Math.min(period * 2 ** Math.min(Math.max(failures - 1, 0), 5), Math.max(period, 30 * 86_400_000));
    return grown + (plugin.interval === null ? jitterSeconds * 1_000 : period / 10);
  }
}

/** Until the first run of what may run; null where that waits for an operation. */
function firstMs(plugin: SimulatedBoefje): number | null {
  return plugin.run_on === null ? 0 : null;
}
