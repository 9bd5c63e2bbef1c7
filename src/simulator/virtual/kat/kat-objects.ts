import { RotaError } from '../../../errors.ts';
import type { BoefjeConfig, BoefjeRun, KatServices, Ooi, Organisation, Plugin, PluginList } from '../../../kat/kat.ts';
import type { KatServiceName } from '../../kat.ts';
import type { SimulatedPlugin } from '../../plugins.ts';
import type { SimulatedObject, SimulatedOrganisation, World } from '../../world.ts';

interface KatObjectsOptions {
  readonly world: World;
  /** Milliseconds of any steadily growing clock. */
  readonly now: () => number;
  /** Before each answer: takes its time, and throws where the service is out. */
  readonly answering: (service: KatServiceName) => Promise<void>;
  /** When Bytes' last run of a boefje on an OOI ended, in epoch milliseconds. */
  readonly lastRun: (organisation: string, boefje: string, ooi: string | null) => number | undefined;
}

/** As src/kat/katalogus.ts keeps what Katalogus says. */
const keptMs = 30_000;
/** As src/kat/octopoes.ts asks for them. */
const pageSize = 1_000;

/**
 * Katalogus, Octopoes and Bytes as objects behind the ports of src/kat, about one world: the answers are those that the clients get
 * over HTTP from the same world (test/simulator/kat-objects.test.ts holds both to it), and what a client keeps is kept as long.
 */
export class KatObjects implements KatServices {
  readonly #options: KatObjectsOptions;
  /** What each organisation's plug-ins are, until they change. */
  readonly #lists = new Map<string, PluginList>();
  readonly #kept = new Map<string, { readonly value: unknown; readonly until: number }>();

  constructor(options: KatObjectsOptions) {
    this.#options = options;
  }

  /** The plug-ins of an organisation are others from now on. */
  pluginsChanged(organisation: string): void {
    this.#lists.delete(organisation);
  }

  /** The process that keeps answers has ended. */
  forget(): void {
    this.#kept.clear();
  }

  readonly katalogus: KatServices['katalogus'] = {
    organisations: (options) => this.#organisations(options?.fresh === true),
    knows: async (organisation, options) => {
      if (options?.fresh !== true && (await this.#organisations(false)).has(organisation)) return true;
      return (await this.#organisations(true)).has(organisation);
    },
    plugins: async (organisation, options = {}) => {
      const isKnown = options.known?.has(organisation) ?? (await this.katalogus.knows(organisation, options));
      if (!isKnown) return null;
      return this.#keeping(`plugins ${organisation}`, options.fresh === true, 'katalogus', () =>
        this.#plugins(organisation),
      );
    },
    boefjeConfigs: (organisation, boefje) =>
      this.#keeping(`configs ${organisation} ${boefje}`, false, 'katalogus', () => this.#configs(organisation, boefje)),
  };

  readonly octopoes: KatServices['octopoes'] = {
    objects: (organisation, query) => this.#objects(organisation, query),
    objectsByReference: async (organisation, references) => {
      await this.#options.answering('octopoes');
      const known = this.#node(organisation)?.objects;
      return new Map(references.flatMap((reference) => pairOf(reference, known?.get(reference))));
    },
    objectClients: async (reference, organisations) => {
      await this.#options.answering('octopoes');
      return new Map(
        organisations.flatMap((organisation) => pairOf(organisation, this.#node(organisation)?.objects.get(reference))),
      );
    },
  };

  readonly bytes: KatServices['bytes'] = {
    lastRun: async ({ organisation, boefje, inputOoi }) => {
      await this.#options.answering('bytes');
      return this.#run(organisation, boefje, inputOoi);
    },
    lastRuns: async ({ organisation, boefjes, inputOoi }) => {
      await this.#options.answering('bytes');
      return new Map(boefjes.map((boefje) => [boefje, this.#run(organisation, boefje, inputOoi)]));
    },
  };

  #organisations(fresh: boolean): Promise<ReadonlyMap<string, Organisation>> {
    return this.#keeping('organisations', fresh, 'katalogus', () => {
      const all = [...this.#options.world.organisations.values()];
      return new Map(all.map(({ id, name, deduplicate }) => [id, { id, name, deduplicate }]));
    });
  }

  #plugins(organisation: string): PluginList {
    const known = this.#lists.get(organisation);
    if (known !== undefined) return known;
    const all = this.#options.world.organisations.get(organisation)?.plugins ?? new Map<string, SimulatedPlugin>();
    const list: PluginList = new Map([...all].map(([id, plugin]) => [id, pluginOf(plugin)]));
    this.#lists.set(organisation, Object.assign(list, { unreadable: new Set<string>() }));
    return list;
  }

  #configs(organisation: string, boefje: string): readonly BoefjeConfig[] {
    const { world } = this.#options;
    const own = world.organisations.get(organisation);
    const settings = own?.settings.get(boefje);
    if (own === undefined || settings === undefined || own.plugins.get(boefje)?.enabled !== true) return [];
    const text = textOf(settings);
    const duplicates = [...world.organisations.values()].flatMap((other) => {
      const theirs = other.settings.get(boefje);
      if (other.id === organisation || !other.deduplicate || theirs === undefined) return [];
      if (textOf(theirs) !== text) return [];
      return [{ organisationId: other.id, enabled: other.plugins.get(boefje)?.enabled === true }];
    });
    return [{ boefjeId: boefje, organisationId: organisation, enabled: true, duplicates }];
  }

  async *#objects(
    organisation: string,
    query: { readonly types: readonly string[]; readonly scanLevels: readonly number[] },
  ): AsyncGenerator<readonly Ooi[]> {
    if (query.types.length === 0 || query.scanLevels.length === 0) return;
    const [types, levels] = [new Set(query.types), new Set(query.scanLevels)];
    for (let offset = 0; ; offset += pageSize) {
      await this.#options.answering('octopoes');
      const found = [...(this.#node(organisation)?.objects.values() ?? [])].filter(
        ({ objectType, level }) => types.has(objectType) && level !== null && levels.has(level),
      );
      const page = found.slice(offset, offset + pageSize).map(ooiOf);
      if (page.length > 0) yield page;
      if (page.length < pageSize) return;
    }
  }

  #node(organisation: string): SimulatedOrganisation | undefined {
    const found = this.#options.world.organisations.get(organisation);
    return found?.nodeless === true ? undefined : found;
  }

  #run(organisation: string, boefje: string, ooi: string | null): BoefjeRun | null {
    const endedAt = this.#options.lastRun(organisation, boefje, ooi);
    return endedAt === undefined ? null : { endedAt };
  }

  async #keeping<T>(key: string, fresh: boolean, service: KatServiceName, answer: () => T): Promise<T> {
    const kept = this.#kept.get(key);
    if (!fresh && kept !== undefined && this.#options.now() < kept.until) return kept.value as T;
    await this.#options.answering(service);
    const value = answer();
    this.#kept.set(key, { value, until: this.#options.now() + keptMs });
    return value;
  }
}

const texts = new WeakMap<object, string>();

/** Settings do not change: each is written once. */
function textOf(settings: object): string {
  const known = texts.get(settings) ?? JSON.stringify(settings);
  texts.set(settings, known);
  return known;
}

function pluginOf(plugin: SimulatedPlugin): Plugin {
  const { id, type, name, version, enabled, consumes, produces } = plugin;
  const common = { id, type, name, version, enabled, consumes, produces };
  if (plugin.type === 'normalizer')
    return { ...common, scanLevel: 0, cron: null, interval: null, runOn: null, ociImage: null, deduplicate: false };
  const { scan_level: scanLevel, cron, interval, run_on: runOn, oci_image: ociImage, deduplicate } = plugin;
  const rateLimit =
    plugin.rate_limit_interval === undefined
      ? {}
      : { rateLimit: { seconds: plugin.rate_limit_interval, group: plugin.rate_limit_group ?? id } };
  return { ...common, scanLevel, cron, interval, runOn, ociImage, deduplicate, ...rateLimit };
}

/** Octopoes answers an object without a scan profile; the client reads its level as none. */
function ooiOf({ reference, objectType, level }: SimulatedObject): Ooi {
  return { primaryKey: reference, objectType, scanLevel: level };
}

function pairOf(key: string, object: SimulatedObject | undefined): [string, Ooi][] {
  return object === undefined ? [] : [[key, ooiOf(object)]];
}

/** As a request that fails after its tries. */
export function serviceOut(service: KatServiceName): RotaError {
  return new RotaError('SERVICE_UNAVAILABLE', `${service} does not answer`);
}
