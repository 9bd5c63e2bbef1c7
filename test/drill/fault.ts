import type { Breach, Guarantee } from './guarantees.ts';
import type { Load, LoadOptions } from './load/load.ts';
import type { Scene, SceneOptions } from './scene.ts';

/** A fault under load, as it runs. */
export interface Drill {
  readonly scene: Scene;
  readonly load: Load;
  /** Everything has to be back 5 s from now: the fault has ended, or the time in which it must be noticed. */
  readonly over: () => void;
  /** Lets the load go on until what comes back late has come back. Done by itself where the fault does not. */
  readonly watch: () => Promise<void>;
  readonly broke: (guarantee: Guarantee, what: string) => void;
  readonly breaches: readonly Breach[];
}

export interface Fault {
  readonly name: string;
  /** For `--list` and the page. */
  readonly about: string;
  /** One of its own, in place of the shared one. */
  readonly scene?: Partial<SceneOptions>;
  readonly load?: Partial<LoadOptions>;
  /** Whose requests cannot be answered before it is over: a transport's, or the REST API's of one supervisor. */
  readonly unanswered?: readonly ('nats' | 'rest' | number)[];
  /** Memory stays below twice that at rest. */
  readonly boundsMemory?: true;
  /** How long it takes, about, with what comes before and after: the longest begin first. */
  readonly seconds: number;
  /** Why it cannot run here; null where it can. */
  readonly unable?: () => Promise<string | null>;
  run(drill: Drill): Promise<void>;
}
