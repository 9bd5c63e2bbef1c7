/** Limits and windows, as operators see them. Timestamps are ISO. Null of a match is any. */
export interface LimitMatchView {
  readonly scheduler: string | null;
  readonly organisation: string | null;
  /** Or normalizer, or report recipe. */
  readonly boefje: string | null;
  readonly image: string | null;
  readonly ooi_type: string | null;
  /** What a person pushed is not held. */
  readonly exempt_manual: boolean;
}

interface Held extends LimitMatchView {
  readonly name: string;
  readonly note: string | null;
  readonly set_by: string | null;
  readonly changed_at: string;
  /** What was queued before may not be held yet. */
  readonly applying: boolean;
  /** Tasks that it holds back, counted to 10 000; `waiting_is_least`: there are more. */
  readonly waiting: number;
  readonly waiting_is_least: boolean;
  /** Of those; null where there is none. */
  readonly oldest_seconds: number | null;
  /** Tasks or groups that it let go, since it was first set. */
  readonly admitted: number;
}

export interface LimitView extends Held {
  /** Tasks with the same value share it, as `host:{host}`. */
  readonly key: string;
  readonly rate: { readonly tasks: number; readonly seconds: number } | null;
  readonly burst: number;
  readonly concurrency: number | null;
  /** Values at which tasks wait. */
  readonly waiting_keys: number;
  /** Tasks whose value could not be read: what is about the same OOI shared the limit. */
  readonly unread: number;
}

export interface WindowView extends Held {
  readonly zone: string;
  /** Open for `seconds` from each of its times on; null where it is open always but for a while. */
  readonly cron: string | null;
  readonly seconds: number | null;
  /** Closed from then until then, on the wall clock of the zone. */
  readonly from: string | null;
  readonly until: string | null;
  readonly open: boolean;
  /** When it opens or closes next; null: never. */
  readonly changes_at: string | null;
}

/** What holds a task, or would. */
export interface HoldingLimit {
  readonly name: string;
  readonly kind: 'limit' | 'window';
  readonly note: string | null;
  readonly set_by: string | null;
  /** What it shares the limit with. */
  readonly key: string;
  /** Its value could not be read. */
  readonly unread: boolean;
  /** Tasks that go before it there, counted to 100 000. */
  readonly before: number;
  /** Tasks or groups that are let go, or claimed, at this moment. */
  readonly taken: number;
  /** When it is let go, by this one alone; null where it cannot be told. */
  readonly starts_at: string | null;
  /** In words, as `limit shodan 1/s: 4213 before it, about 1h 10m`. */
  readonly fact: string;
}

export interface SetLimit {
  readonly name: string;
  /** There was none of this name; else it is changed. */
  readonly added: boolean;
}

export interface LimitTest {
  /** Those that concern it, by name. */
  readonly results: readonly HoldingLimit[];
  /** When all have let it go, about; null where that cannot be told. */
  readonly starts_at: string | null;
}

/** The rate that a boefje's manifest asks for. */
export interface DefaultLimit {
  /** What those share that have it, in the manifest's words: `api.shodan.io`, `shodan:{input_ooi}`. */
  readonly group: string;
  readonly seconds: number;
  readonly boefjes: readonly string[];
}
