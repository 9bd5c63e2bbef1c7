import type { StartEstimate } from './operator-lists.ts';

/** Organisations as operators see them. Timestamps are ISO, times seconds. Counts of roll-ups are a second old at most. */

/** What is queued of an organisation in one scheduler. */
export interface OrganisationQueue {
  readonly scheduler: string;
  /** Held ones included. */
  readonly queued: number;
  readonly held: number;
  /** There are more: no more were counted. */
  readonly held_is_least: boolean;
  /** Of the task that goes first; null where none may be popped. */
  readonly waited_seconds: number | null;
  readonly weight: number;
}

export interface OrganisationView {
  readonly organisation: string;
  /** One for each scheduler that was asked for, in their order. */
  readonly schedulers: readonly OrganisationQueue[];
}

export interface OrganisationPage {
  /** Of all that begin so. */
  readonly count: number;
  readonly count_is_least: boolean;
  /** Of all organisations together. */
  readonly queued: number;
  /** Those with the most queued tasks first. */
  readonly results: readonly OrganisationView[];
}

/** How an organisation's turns lie in a scheduler that ranks fairly (docs/queue-semantics.md, "Fair share"). */
export interface FairShare {
  readonly weight: number;
  /** By weight, of those that have something queued and are not paused as a whole; null where it has nothing queued. */
  readonly due_share: number | null;
  /** The rank of its next task, and that of what is served now; null where there is none. */
  readonly next_rank: number | null;
  readonly virtual_time: number | null;
}

export interface OrganisationInScheduler extends Omit<OrganisationQueue, 'waited_seconds' | 'weight'> {
  readonly at_work: number;
  /** Age of the oldest that may be popped, of the 1 000 that go first. */
  readonly oldest_seconds: number | null;
  /** When its next task is handed out; null where none may be popped. */
  readonly next: StartEstimate | null;
  /** Null where the scheduler's ranker is not fair. */
  readonly fair: FairShare | null;
}

/** A boefje, normalizer or report recipe in the samples. */
export interface SampledPlugin {
  readonly scheduler: string;
  readonly plugin: string | null;
  /** Of the next 1 000 queued tasks of its scheduler. */
  readonly queued: number;
  /** Of the last 1 000 that completed or failed; those that failed. */
  readonly ended: number;
  readonly failed: number;
  readonly last_failed_at: string | null;
}

export interface OrganisationDetails {
  readonly organisation: string;
  /** Anything of it was ever seen here. */
  readonly known: boolean;
  readonly schedulers: readonly OrganisationInScheduler[];
  /** Tasks by the hour of their last change: the last 24, hours without any left out. */
  readonly hours: readonly {
    readonly scheduler: string;
    readonly hour: string;
    readonly completed: number;
    readonly failed: number;
  }[];
  readonly plugins: readonly SampledPlugin[];
}

/** What a pause would hold that is not held now. */
export interface PausePreview {
  readonly tasks: number;
  /** There are more: no more rows were looked at. */
  readonly tasks_is_least: boolean;
  /** Whether organisations take turns by weight in this scheduler. */
  readonly fair: boolean;
}

/** Who would be next with a ranker: of the first 10 000 tasks of a queue that may be popped, ranked by it. */
export interface RankedPreview {
  readonly looked: number;
  /** There are more, at which it does not look. */
  readonly looked_is_least: boolean;
  /** Tasks whose organisations are counted: those that would be next. */
  readonly counted: number;
  /** How many of the next `counted` are whose, and the place of the first, from 1: as it is, and with the ranker. Those that change most first. */
  readonly organisations: readonly {
    readonly name: string;
    readonly before: PlacesView;
    readonly after: PlacesView;
  }[];
}

export interface PlacesView {
  readonly count: number;
  readonly first: number | null;
}

export interface RerankPreview extends RankedPreview {
  readonly scheduler: string;
  readonly ranker: string;
  /** The one that the scheduler has. */
  readonly own: string;
  /** Those that there are. */
  readonly rankers: readonly string[];
  /** Organisations beyond the 100 that are told of. */
  readonly others: number;
}

/** Tasks that ended within the last 24 hours; a minute old at most. */
export interface DayView {
  /** Hours in which any did, the oldest first. */
  readonly hours: readonly {
    readonly hour: string;
    readonly completed: number;
    readonly failed: number;
    readonly organisations: number;
    /** The 30 with most. */
    readonly largest: readonly { readonly organisation: string; readonly completed: number; readonly failed: number }[];
  }[];
  /** There are more organisations than are read: the oldest hours are not whole. */
  readonly cut: boolean;
}
