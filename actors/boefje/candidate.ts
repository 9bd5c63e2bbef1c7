import type { Plugin } from '../../src/kat/kat.ts';
import type { NewSchedule, NewTask, Recurrence } from '../../src/protocol/requests.ts';
import type { SchedulerSettings } from '../../src/protocol/scheduler.ts';
import { boefjeHash } from '../../src/tasks/data.ts';
import { intervalMsOf, type Pace } from './recurrence.ts';

/** A boefje that may run on an OOI (null: on none) of an organisation, before its history is known. */
export interface Candidate {
  readonly organisation: string;
  /** As it is in this organisation. */
  readonly plugin: Plugin;
  readonly ooi: string | null;
  readonly recurrence: Recurrence | 'none' | 'default';
  /** Its own cron or interval decided that it is due: no grace period then. */
  readonly byRecurrence: boolean;
  /** Of the schedule that is due. Absent for an event, which failures do not delay: the OOI changed, or the boefje is new. */
  readonly pace?: Pace;
  /** Traceparent of the event that brought it about; null where that was the clock. */
  readonly trace: string | null;
  /** The task's; 4 µs each, so it is computed once. */
  readonly hash: string;
}

export function candidateOf(fields: Omit<Candidate, 'hash'>): Candidate {
  return { ...fields, hash: hashOf(fields) };
}

/** Of the task of a boefje on an OOI in an organisation. */
export function hashOf(pair: {
  readonly organisation: string;
  readonly plugin: { readonly id: string };
  readonly ooi: string | null;
}): string {
  return boefjeHash({ boefjeId: pair.plugin.id, inputOoi: pair.ooi, organisation: pair.organisation });
}

export function aboutOf({ organisation, plugin, ooi }: Candidate): Record<string, string | null> {
  return { organisation, boefje: plugin.id, ooi };
}

/** Milliseconds that must lie between two runs: the boefje's interval, else the grace period. */
export function graceMsOf({ plugin, byRecurrence }: Candidate, settings: SchedulerSettings): number {
  if (byRecurrence) return 0;
  return intervalMsOf(plugin) ?? settings.gracePeriodSeconds * 1000;
}

/** A candidate whose history lets it run. */
export interface Run {
  readonly candidate: Candidate;
  /** Epoch milliseconds; null where it never ran. */
  readonly lastRunAt: number | null;
  /** The task that its history ends with: a newer one overtakes it. */
  readonly follows: string | null;
  /** Set for the head of a deduplicated group: its id is the group's key. */
  readonly id?: string;
  readonly deduplicationKey: string | null;
}

/** Of a pair whose boefje has a recurrence. */
export function newScheduleOf(candidate: Candidate, recurrence: Recurrence): NewSchedule {
  const { organisation, hash } = candidate;
  return { organisation, hash, data: dataOf(candidate), recurrence };
}

/** What the task and the schedule of a pair have in common. */
export function dataOf({ plugin, organisation, ooi }: Candidate) {
  return {
    boefje: { id: plugin.id, name: plugin.name, version: plugin.version, oci_image: plugin.ociImage },
    input_ooi: ooi,
    organization: organisation,
  };
}

export function taskOf({ candidate, lastRunAt, follows, id, deduplicationKey }: Run): NewTask {
  const { organisation, recurrence, trace } = candidate;
  return {
    ...(id === undefined ? {} : { id }),
    organisation,
    follows,
    data: {
      ...(id === undefined ? {} : { id }),
      ...dataOf(candidate),
      deduplication_key: deduplicationKey,
      dispatches: [],
    },
    checked: true,
    hash: candidate.hash,
    recurrence,
    trace,
    ...(lastRunAt === null ? {} : { lastRunAt }),
  };
}
