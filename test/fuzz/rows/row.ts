import type { Actor } from './actor.ts';

/** One crafted input that once did harm, as a scenario: it must be refused or bounded, and no other client may notice. */
export interface Row {
  readonly name: string;
  readonly about: string;
  /** Played until others had time to notice, ten seconds, unless it says that once is enough. */
  readonly once?: true;
  /** What it may leave behind on a Rota that does not withstand it spoils what comes after. */
  readonly spoils?: true;
  /** It keeps two cores busy with texts of 1 to 2 MB: the bound of other clients' pops is wider (play.ts). */
  readonly heavy?: true;
  /** @returns what was not as it must be, besides what is looked at for every row */
  play(actor: Actor): Promise<readonly (string | undefined)[]>;
}
