import type { Case } from './bench.ts';

/** Cases that share something which must be taken down: a supervisor, a peer's pool. */
export interface CaseSet {
  readonly cases: readonly Case[];
  close(): Promise<void>;
}
