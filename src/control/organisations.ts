import { z } from 'zod';
import type { OrganisationDetails, OrganisationPage } from '../protocol/operator-organisations.ts';
import type { OrganisationLists } from '../queue/lists/organisations.ts';
import { lengths, shortText } from '../tasks/limits.ts';
import { command, type SomeCommands } from './operator-command.ts';
import { requireScheduler } from './queues.ts';
import { Recent } from './recent.ts';

export interface OrganisationPorts {
  readonly schedulerIds: readonly string[];
  readonly organisations: OrganisationLists;
}

const noNul = (text: string) => !text.includes('\0');
const code = shortText(lengths.organisation).min(1).refine(noNul, { message: 'no NUL' });
const scheduler = shortText(lengths.name).min(1);
const maxAge = { max_age_seconds: z.number().min(0).max(60).default(0) };

/** Organisations: what waits of each, how one goes, and what a pause would hold. */
export function organisationCommands({ schedulerIds, organisations }: OrganisationPorts) {
  const pages = new Recent<OrganisationPage>();
  const details = new Recent<OrganisationDetails>();
  return {
    organisations: command(
      'read',
      z.strictObject({
        scheduler: scheduler.optional(),
        prefix: shortText(lengths.organisation).refine(noNul, { message: 'no NUL' }).default(''),
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
      z.strictObject({ scheduler, organisation: code.nullish(), boefje: scheduler.refine(noNul).nullish() }),
      async ({ scheduler, organisation = null, boefje: plugin = null }) => {
        requireScheduler(schedulerIds, scheduler);
        return organisations.previewPause({ scheduler, organisation, plugin });
      },
    ),
  } satisfies SomeCommands;
}
