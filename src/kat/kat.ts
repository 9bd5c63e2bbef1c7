/**
 * The requests of schedulers to Katalogus, Octopoes and Bytes (kat-contract §5–§7). Every call rejects with an error that has
 * `code` SERVICE_UNAVAILABLE (down, time-out, 5xx, no such route, circuit open: retryable) or SERVICE_REJECTED (it
 * answered, but not as its contract says). "Not found" is an answer: null or an empty list, never an error.
 */
export interface KatServices {
  readonly katalogus: Katalogus;
  readonly octopoes: Octopoes;
  readonly bytes: Bytes;
}

export interface Organisation {
  readonly id: string;
  readonly name: string;
  readonly deduplicate: boolean;
}

export interface Plugin {
  readonly id: string;
  readonly type: 'boefje' | 'normalizer' | 'bit';
  readonly name: string | null;
  readonly version: string | null;
  readonly enabled: boolean;
  /** OOI types for boefjes, mime types for normalizers. */
  readonly consumes: readonly string[];
  readonly produces: readonly string[];
  /** Boefjes only; 0 elsewhere. */
  readonly scanLevel: number;
  readonly cron: string | null;
  /** Minutes. */
  readonly interval: number | null;
  readonly runOn: readonly ('create' | 'update')[] | null;
  readonly ociImage: string | null;
  readonly deduplicate: boolean;
  /** At most one start per so many seconds of all boefjes with the same group; absent: no bound. */
  readonly rateLimit?: { readonly seconds: number; readonly group: string };
}

/** By id. `unreadable`: what Katalogus lists and gives not as agreed, of which nothing is known, not even that it is off. */
export interface PluginList extends ReadonlyMap<string, Plugin> {
  readonly unreadable?: ReadonlySet<string>;
}

/** A boefje's configuration in one organisation and the organisations that configured it identically. Never its settings. */
export interface BoefjeConfig {
  readonly boefjeId: string;
  readonly organisationId: string;
  readonly enabled: boolean;
  readonly duplicates: readonly { readonly organisationId: string; readonly enabled: boolean }[];
}

export interface Ooi {
  readonly primaryKey: string;
  readonly objectType: string;
  /** Null where the OOI has no scan profile yet. */
  readonly scanLevel: number | null;
}

export interface BoefjeRun {
  /** Epoch milliseconds. */
  readonly endedAt: number | null;
}

export interface Katalogus {
  /** All organisations; cached for 30 s. `fresh` asks anew and not the cache. */
  organisations(options?: { fresh?: boolean }): Promise<ReadonlyMap<string, Organisation>>;
  /** Whether there is this organisation. One that the cached list does not have is asked for anew before it is said to be gone. */
  knows(organisation: string, options?: { fresh?: boolean }): Promise<boolean>;
  /**
   * All plug-ins of an organisation, disabled ones too; cached for 30 s, one request in flight per organisation. An
   * organisation that Katalogus does not know gives null. `fresh` asks anew and not the cache, for the organisations
   * too, unless `known` gives those that were just asked for.
   */
  plugins(
    organisation: string,
    options?: { fresh?: boolean; known?: ReadonlyMap<string, Organisation> },
  ): Promise<PluginList | null>;
  /** Configurations with duplicates of one boefje in one organisation, for deduplication across them; cached for 30 s. */
  boefjeConfigs(organisation: string, boefje: string): Promise<readonly BoefjeConfig[]>;
}

export interface Octopoes {
  /** Every object of these types with one of these scan levels, page by page. */
  objects(
    organisation: string,
    query: { types: readonly string[]; scanLevels: readonly number[] },
  ): AsyncIterable<readonly Ooi[]>;
  /** The objects that exist, by reference; absent ones are missing from the map. One request for up to 1 000. */
  objectsByReference(organisation: string, references: readonly string[]): Promise<ReadonlyMap<string, Ooi>>;
  /** The OOI in each of the organisations that have it. */
  objectClients(reference: string, organisations: readonly string[]): Promise<ReadonlyMap<string, Ooi>>;
}

export interface Bytes {
  /** When the boefje last ran on the OOI there; null where Bytes has no run. */
  lastRun(query: { organisation: string; boefje: string; inputOoi: string | null }): Promise<BoefjeRun | null>;
  /** The same for several boefjes on one OOI, as a rule by one request; one entry per boefje. */
  lastRuns(query: {
    organisation: string;
    boefjes: readonly string[];
    inputOoi: string | null;
  }): Promise<ReadonlyMap<string, BoefjeRun | null>>;
}
