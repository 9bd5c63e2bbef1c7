import { z } from 'zod';
import type { OrganisationDetails, OrganisationPage } from '../protocol/operator-organisations.ts';
import type { OrganisationLists } from '../queue/lists/organisations.ts';
import { lengths } from '../tasks/limits.ts';
import { command, maxAge, type SomeCommands } from './operator-command.ts';
import { listedText } from './paging.ts';
import { requireScheduler } from './queues.ts';
import { Recent } from './recent.ts';

export interface OrganisationPorts {
  readonly schedulerIds: readonly string[];
  readonly organisations: OrganisationLists;
}

const code = listedText(lengths.organisation).min(1);
const scheduler = listedText(lengths.name).min(1);

/** Organisations: what waits of each, how one goes, and what a pause would hold. */
export function organisationCommands({ schedulerIds, organisations }: OrganisationPorts) {
  const pages = new Recent<OrganisationPage>();
  const details = new Recent<OrganisationDetails>();
  return {
    organisations: command(
      'read',
      z.strictObject({
        scheduler: scheduler.optional(),
        prefix: listedText(lengths.organisation).default(''),
        limit: z.int().min(1).max(500).default(50),
        offset: z.int().min(0).max(100_000).default(0),
        ...maxAge,
      }),
      async ({ scheduler, prefix, limit, offset, max_age_seconds: seconds }) => {
        if (scheduler !== undefined) requireScheduler(schedulerIds, scheduler);
        const schedulers = scheduler === undefined ? schedulerIds : [scheduler];
        const key = JSON.stringify([scheduler, prefix, limit, offset]);
        return pages.of(key, seconds * 1_000, () => organisations.page({ schedulers, prefix, limit, offset }));
      },
    ),

    organisation: command(
      'read',
      z.strictObject({ organisation: code, ...maxAge }),
      async ({ organisation, max_age_seconds: seconds }) =>
        details.of(organisation, seconds * 1_000, () => organisations.details(organisation, schedulerIds)),
    ),

    'preview-pause': command(
      'read',
      z.strictObject({ scheduler, organisation: code.nullish(), boefje: scheduler.nullish() }),
      async ({ scheduler, organisation = null, boefje: plugin = null }) => {
        requireScheduler(schedulerIds, scheduler);
        return organisations.previewPause({ scheduler, organisation, plugin });
      },
    ),
  } satisfies SomeCommands;
}
