/** What is queued of one organisation, boefje or image. */
export interface QueuePartView {
  readonly scheduler: string;
  readonly name: string;
  readonly queued: number;
  /** There are more: no more were counted. */
  readonly queued_is_least: boolean;
  readonly held: number;
  readonly held_is_least: boolean;
  /** Age of the oldest that may be popped, of the 1 000 that go first. */
  readonly oldest_seconds: number | null;
  /** Handed out by all supervisors over the last five minutes; null for organisations and boefjes, of which `queue-rates` tells. */
  readonly per_second: number | null;
}

/**
 * What one supervisor did for an organisation or boefje over the last ten minutes, or since its start: the sum over all supervisors is
 * the asker's. Under '' all beyond the 200 with the most tasks, together.
 */
export interface PartRate {
  readonly scheduler: string;
  readonly name: string;
  /** Handed out. */
  readonly per_second: number;
  /** Tasks that failed. */
  readonly failed: number;
}
