import type { StreamEvent } from '../../../protocol/events.ts';
import type { EventStream } from '../../../protocol/scheduler.ts';
import { chance } from '../../../time-and-chance.ts';
import type { SimulatedBoefje } from '../../plugins.ts';
import type { Random } from '../../random.ts';
import { discover, findObject, type SimulatedObject, type SimulatedOrganisation, type World } from '../../world.ts';
import type { KatObjects } from './kat-objects.ts';

interface KatStateOptions {
  readonly world: World;
  readonly random: Random;
  readonly now: () => number;
  readonly publish: (stream: EventStream, event: StreamEvent, delayMs: number) => void;
}

/** From a change in KAT to its event at the broker, in milliseconds. */
const eventMs = 2_000;

/** A run of a boefje that Bytes stored. */
interface StoredRun {
  readonly id: string;
  readonly boefje: string;
  readonly ooi: string | null;
  readonly organisation: string;
  readonly startedAt: number;
  readonly failed: boolean;
}

/**
 * KAT itself in a simulation: its world, what changes in it, and since when. It publishes what KAT would, and knows what may run,
 * independent of Rota.
 */
export class KatState {
  readonly world: World;
  readonly #options: KatStateOptions;
  /** When a plug-in or an OOI last changed what it permits, by organisation and name. */
  readonly #changes = new Map<string, number>();
  readonly #lastRuns = new Map<string, number>();
  #kat: KatObjects | null = null;
  #found = 0;

  constructor(options: KatStateOptions) {
    this.#options = options;
    this.world = options.world;
  }

  /** Plug-ins that change are published to it. */
  serve(kat: KatObjects): void {
    this.#kat = kat;
  }

  lastRun(organisation: string, boefje: string, ooi: string | null): number | undefined {
    return this.#lastRuns.get(`${organisation}\n${boefje}\n${ooi ?? ''}`);
  }

  /** Why a boefje may not run on an OOI; null where it may. `ooi` null: it runs on none. */
  refusalOf(organisation: string, boefje: string, ooi: string | null): 'disabled' | 'gone' | 'clearance' | null {
    const of = this.world.organisations.get(organisation);
    const plugin = of?.plugins.get(boefje);
    if (of === undefined || plugin?.type !== 'boefje' || !plugin.enabled) return 'disabled';
    if (ooi === null) return null;
    const object = of.objects.get(ooi);
    if (object === undefined) return 'gone';
    return object.level === null || object.level < plugin.scan_level ? 'clearance' : null;
  }

  /** Since when that is so; null: since the beginning. */
  since(organisation: string, boefje: string, ooi: string | null): number | null {
    const ofPlugin = this.#changes.get(`${organisation}\n${boefje}`);
    const ofOoi = ooi === null ? undefined : this.#changes.get(`${organisation}\n${ooi}`);
    if (ofPlugin === undefined || ofOoi === undefined) return ofPlugin ?? ofOoi ?? null;
    return Math.max(ofPlugin, ofOoi);
  }

  setLevel(organisation: SimulatedOrganisation, object: SimulatedObject, level: number | null): void {
    object.level = level;
    this.#mutate(organisation, 'update', object);
  }

  remove(organisation: SimulatedOrganisation, object: SimulatedObject): void {
    organisation.objects.delete(object.reference);
    this.#note(organisation, object.reference);
    this.#publishMutation(organisation.id, 'delete', object);
  }

  add(organisation: SimulatedOrganisation, object: SimulatedObject): void {
    organisation.objects.set(object.reference, object);
    this.#mutate(organisation, 'create', object);
  }

  /** An object changes, and what it permits does not. */
  touch(organisation: SimulatedOrganisation, object: SimulatedObject): void {
    this.#publishMutation(organisation.id, 'update', object);
  }

  /** Another object is found. */
  find(): void {
    for (const { organisation, object } of findObject(this.world, this.#found++, this.#options.random))
      this.add(organisation, object);
  }

  /** A normalizer finds one of the objects that exist and that none has found yet. */
  discover(organisation: SimulatedOrganisation): void {
    const found = discover(organisation);
    if (found !== null) this.#mutate(organisation, 'create', found);
  }

  enable(organisation: SimulatedOrganisation, plugin: SimulatedBoefje, enabled: boolean): void {
    if (plugin.enabled === enabled) return;
    plugin.enabled = enabled;
    this.#note(organisation, plugin.id);
    this.#kat?.pluginsChanged(organisation.id);
  }

  /** Bytes stores what a boefje found, and announces it. */
  store({ id, boefje, ooi, organisation, startedAt, failed }: StoredRun): void {
    const now = this.#options.now();
    this.#lastRuns.set(`${organisation}\n${boefje}\n${ooi ?? ''}`, now);
    const produces = this.world.organisations.get(organisation)?.plugins.get(boefje)?.produces ?? [];
    const types = failed ? ['error/boefje'] : [...new Set([...produces, `boefje/${boefje}`])];
    const event: StreamEvent = {
      kind: 'raw-file-received',
      organisation,
      createdAt: now,
      rawData: {
        id: chance.uuid(),
        boefje_meta: {
          id,
          boefje: { id: boefje, name: null, version: null, oci_image: null },
          input_ooi: ooi,
          arguments: {},
          organization: organisation,
          started_at: new Date(startedAt).toISOString(),
          ended_at: new Date(now).toISOString(),
        },
        mime_types: types.map((value) => ({ value })),
        secure_hash: null,
        hash_retrieval_link: null,
      },
      size: null,
    };
    this.#options.publish('raw_file_received', event, this.#delay());
  }

  #mutate(organisation: SimulatedOrganisation, operation: 'create' | 'update', object: SimulatedObject): void {
    this.#note(organisation, object.reference);
    this.#publishMutation(organisation.id, operation, object);
  }

  #note(organisation: SimulatedOrganisation, name: string): void {
    this.#changes.set(`${organisation.id}\n${name}`, this.#options.now());
  }

  #publishMutation(organisation: string, operation: 'create' | 'update' | 'delete', object: SimulatedObject): void {
    const { reference: primaryKey, objectType, level } = object;
    const gone = operation === 'delete';
    const event: StreamEvent = {
      kind: 'scan-profile-mutated',
      operation,
      organisation,
      primaryKey,
      objectType: gone ? null : objectType,
      scanLevel: gone ? null : level,
    };
    this.#options.publish('scan_profile_mutations', event, this.#delay());
  }

  #delay(): number {
    return 10 + this.#options.random.integer(eventMs);
  }
}
