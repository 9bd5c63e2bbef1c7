import { boefjeHash, normalizerHash, reportHash } from '../tasks/identity.ts';
import type { RawFileReceivedBody, ScanProfileMutationBody } from './events.ts';
import type { World } from './world.ts';

/** A task that an event or a person must lead to, named by its hash. */
export interface Expected {
  readonly scheduler: 'boefje' | 'normalizer' | 'report';
  readonly hash: string;
  /** For the sentence that says what is missing. */
  readonly about: string;
}

/**
 * The tasks that a scan profile mutation must lead to, straight from KAT's rules and written apart from the scheduler's
 * own: every boefje that is enabled there, consumes the type, and may run at this level.
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
