/**
 * How supervisors tell each other that there is something to claim. Best effort: what is lost is found by the look that
 * parked pops take every few seconds.
 */
export interface Wake {
  /** `count` tasks were queued and nobody here waits for them. */
  publish(scheduler: string, count: number): void;
  /** What the others published, never our own. @returns what ends it. */
  subscribe(handler: (scheduler: string, count: number) => void): () => void;
}

/** One supervisor on its own. */
export const noWake: Wake = { publish: () => {}, subscribe: () => () => {} };
