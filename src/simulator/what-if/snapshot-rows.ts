/** What the statements of sql/queue/what-if answer. */
export interface StandingRow {
  readonly now_ms: number;
  readonly oldest_ms: number | null;
  readonly virtual_times: string;
  readonly intervals: string;
  readonly arrivals: string;
}

export interface SubjectRow {
  readonly organisation: string;
  readonly plugin: string | null;
  readonly image: string | null;
  readonly hash: string;
  readonly ooi: string | null;
}

export interface QueueRow extends SubjectRow {
  readonly held: boolean;
  readonly rank: number;
  readonly made_at: string;
  readonly id: string;
  readonly deduplication_key: string | null;
}

export interface ScheduleRow extends SubjectRow {
  readonly deadline_at: string;
  readonly id: string;
  readonly cron: string | null;
  readonly by_interval: boolean;
}

export interface LeaseRow extends SubjectRow {
  readonly id: string;
  readonly scheduler: string;
  readonly deduplication_key: string | null;
  readonly manual: boolean;
  readonly made_ms: number;
  readonly claimed_ms: number;
  readonly started_ms: number | null;
}
