import { randomUUID } from 'node:crypto';
import type { EventStream } from '../protocol/scheduler.ts';
import { boefjeHash, normalizerHash, reportHash } from '../tasks/data.ts';
import type { SimulatedObject, World } from './world.ts';

/** Publishes a simulated KAT's events: to JetStream in the demo, to a list in tests. Resolves once the broker has the event. */
export interface EventPublisher {
  publish(stream: EventStream, body: unknown): Promise<void>;
}

/** A run of a boefje as Bytes holds it: kat-contract §4, §7. */
export interface BoefjeMeta {
  readonly id: string;
  readonly started_at: string;
  readonly ended_at: string;
  readonly boefje: { readonly id: string; readonly version: string | null };
  readonly input_ooi: string | null;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly organization: string;
  readonly runnable_hash: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** Body of a message on `scan_profile_mutations`: kat-contract §4. */
export function scanProfileMutation(organisation: string, operation: 'create' | 'update', object: SimulatedObject) {
  const { reference, objectType, level, profile } = object;
  return {
    operation,
    primary_key: reference,
    value: {
      primary_key: reference,
      object_type: objectType,
      scan_profile: {
        scan_profile_type: level === null || level === 0 ? 'empty' : profile,
        reference,
        level: level ?? 0,
        user_id: null,
      },
    },
    client_id: organisation,
  };
}

/** Body of the message about a deleted scan profile: it carries no value. */
export function scanProfileDeletion(organisation: string, reference: string) {
  return { operation: 'delete', primary_key: reference, value: null, client_id: organisation } as const;
}

/** Body of a message on `raw_file_received`: kat-contract §4. `environment` travels in it, secrets and all. */
export function rawFileReceived(id: string, run: BoefjeMeta, mimeTypes: readonly string[]) {
  return {
    event_id: 'raw_file_received',
    created_at: new Date().toISOString(),
    organization: run.organization,
    raw_data: {
      id,
      boefje_meta: run,
      mime_types: mimeTypes.map((value) => ({ value })),
      secure_hash: null,
      signing_provider_url: null,
      hash_retrieval_link: null,
    },
  };
}

export type ScanProfileMutationBody = ReturnType<typeof scanProfileMutation>;
export type RawFileReceivedBody = ReturnType<typeof rawFileReceived>;

/** A run that ended now, having begun `tookMs` ago. */
export function boefjeRun(of: {
  id?: string;
  boefje: string;
  inputOoi: string | null;
  organisation: string;
  tookMs: number;
}): BoefjeMeta {
  const ended = Date.now();
  return {
    id: of.id ?? randomUUID(),
    started_at: new Date(ended - of.tookMs).toISOString(),
    ended_at: new Date(ended).toISOString(),
    boefje: { id: of.boefje, version: null },
    input_ooi: of.inputOoi,
    arguments: of.inputOoi === null ? {} : { input: { primary_key: of.inputOoi } },
    organization: of.organisation,
    runnable_hash: '0'.repeat(64),
    environment: {},
  };
}

/** A task that an event or a person must lead to, named by its hash. */
export interface Expected {
  readonly scheduler: 'boefje' | 'normalizer' | 'report';
  readonly hash: string;
  /** For the sentence about a missing task. */
  readonly about: string;
}

/**
 * The tasks that a scan profile mutation must lead to, from KAT's rules and independent of the scheduler's code: every boefje
 * that is enabled there, consumes the type, and may run at this level.
 */
export function expectedOfMutation(world: World, { client_id, primary_key, value }: ScanProfileMutationBody) {
  const plugins = world.organisations.get(client_id)?.plugins.values() ?? [];
  return [...plugins].flatMap((plugin): Expected[] =>
    plugin.type === 'boefje' &&
    plugin.enabled &&
    plugin.consumes.includes(value.object_type) &&
    plugin.scan_level <= value.scan_profile.level
      ? [
          {
            scheduler: 'boefje',
            hash: boefjeHash({ boefjeId: plugin.id, inputOoi: primary_key, organisation: client_id }),
            about: `${plugin.id} on ${primary_key} in ${client_id}`,
          },
        ]
      : [],
  );
}

/** The tasks that a raw file must lead to: every enabled normalizer that consumes one of its mime types. */
export function expectedOfRawFile(world: World, { organization, raw_data }: RawFileReceivedBody) {
  const types = raw_data.mime_types.map(({ value }) => value);
  if (types.some((type) => type.startsWith('error/'))) return [];
  const plugins = world.organisations.get(organization)?.plugins.values() ?? [];
  const run = raw_data.boefje_meta;
  return [...plugins].flatMap((plugin): Expected[] =>
    plugin.type === 'normalizer' && plugin.enabled && plugin.consumes.some((type) => types.includes(type))
      ? [
          {
            scheduler: 'normalizer',
            hash: normalizerHash({ normalizerId: plugin.id, boefjeMetaId: run.id, organisation: organization }),
            about: `${plugin.id} on the raw file of ${run.boefje.id} in ${organization}`,
          },
        ]
      : [],
  );
}

export function expectedOfReport(organisation: string, recipeId: string): Expected {
  return {
    scheduler: 'report',
    hash: reportHash({ recipeId, organisation }),
    about: `report ${recipeId} in ${organisation}`,
  };
}
