import { z } from 'zod';
import { within } from '../deadline.ts';
import { codeOf } from '../errors.ts';
import type { Incidents } from '../observation/incidents.ts';
import type { PartRates } from '../observation/part-rates.ts';
import type { OrganisationDetails, OrganisationPage } from '../protocol/operator-organisations.ts';
import type { QueuePartView } from '../protocol/operator-status.ts';
import type { OperatorAnswers } from '../protocol/operator.ts';
import { type NamesRequest, type StoredKind, storedKinds } from '../queue/lists/names.ts';
import type { OrganisationLists } from '../queue/lists/organisations.ts';
import type { AuditLog, IncidentLog } from '../queue/maintenance/audit.ts';
import type { Supervision } from '../supervisor/supervision.ts';
import { lengths, partsAtMost, shortText } from '../tasks/limits.ts';
import { type QueuePart, queueParts } from '../tasks/task.ts';
import { command, maxAge, nothing, type SomeCommands } from './operator-command.ts';
import { listedText } from './paging.ts';
import { requireScheduler } from './queues.ts';
import { Recent, recent } from './recent.ts';

export interface LookPorts {
  readonly schedulerIds: readonly string[];
  /** A scheduler's queue by organisation, boefje or image. */
  readonly queueBy: (scheduler: string, by: QueuePart, limit: number) => Promise<readonly QueuePartView[]>;
  readonly partRates: Pick<PartRates, 'of'>;
  readonly names: (kind: StoredKind, request: NamesRequest) => Promise<readonly string[]>;
  readonly supervision: Pick<Supervision, 'status'>;
}

/** Bounded looks, which screens and shells repeat. */
export function lookCommands({ schedulerIds, queueBy, partRates, names, supervision }: LookPorts) {
  const wanted = (scheduler: string | undefined) => {
    if (scheduler === undefined) return schedulerIds;
    requireScheduler(schedulerIds, scheduler);
    return [scheduler];
  };
  const parts = new Recent<readonly QueuePartView[]>();
  return {
    'queue-by': command(
      'read',
      z.strictObject({
        scheduler: shortText(lengths.name).min(1).optional(),
        by: z.enum(queueParts),
        /** Of each scheduler. */
        limit: z.int().min(1).max(partsAtMost).default(partsAtMost),
        max_age_seconds: z.number().min(0).max(60).default(0),
      }),
      async ({ scheduler, by, limit, max_age_seconds: seconds }) => {
        const found = wanted(scheduler).map((id) =>
          parts.of(JSON.stringify([id, by, limit]), seconds * 1_000, () => queueBy(id, by, limit)),
        );
        return { results: (await Promise.all(found)).flat() };
      },
    ),

    // From memory, of this supervisor.
    'queue-rates': command(
      'read',
      z.strictObject({ scheduler: shortText(lengths.name).min(1).optional(), by: z.enum(['organisation', 'boefje']) }),
      async ({ scheduler, by }) => ({ results: wanted(scheduler).flatMap((id) => partRates.of(id, by)) }),
    ),

    names: command(
      'read',
      z.strictObject({
        kind: z.enum(['scheduler', 'actor', ...storedKinds]),
        prefix: listedText(lengths.name).default(''),
        scheduler: shortText(lengths.name).min(1).optional(),
        limit: z.int().min(1).max(100).default(20),
      }),
      async ({ kind, prefix, scheduler, limit }) => {
        const schedulers = wanted(scheduler);
        const beginning = (all: readonly string[]) => all.filter((it) => it.startsWith(prefix)).slice(0, limit);
        if (kind === 'scheduler') return { results: beginning(schedulers) };
        if (kind === 'actor') return { results: beginning(supervision.status().map(({ name }) => name)) };
        return { results: await names(kind, { schedulers, prefix, limit }) };
      },
    ),
  } satisfies SomeCommands;
}

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
  const wholeDay = recent(() => organisations.day(schedulerIds));
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

    // The one look that reads more than 20 000 rows: once a minute for all who ask.
    day: command('read', nothing, () => wholeDay(60_000)),

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

/** Of the audit or of incidents. */
const pageOfLog = {
  /** The id of an entry: older ones are wanted. */
  before: z.uuid().toLowerCase().nullable().default(null),
  limit: z.int().min(1).max(200).default(50),
  ...maxAge,
};

export interface AuditPorts {
  readonly readAudit: AuditLog['read'];
}

/** Who did what: to everything, or to one organisation. */
export function auditCommands({ readAudit }: AuditPorts) {
  const read = new Recent<Awaited<ReturnType<AuditLog['read']>>>();
  return {
    audit: command(
      'read',
      z.strictObject({
        organisation: listedText(lengths.organisation).min(1).optional(),
        ...pageOfLog,
      }),
      async ({ organisation = null, before, limit, max_age_seconds: seconds }) => {
        const of = { organisation, before, limit };
        return { results: await read.of(JSON.stringify(of), seconds * 1_000, () => readAudit(of)) };
      },
    ),
  } satisfies SomeCommands;
}

export interface IncidentPorts {
  readonly incidents: Pick<Incidents, 'list'>;
  readonly readIncidents: IncidentLog['read'];
}

/** A page must tell of an outage while it lasts. */
const readWithinMs = 1_500;

/** `incidents`: what broke, and its end; while the database is away, what this supervisor remembers. */
export function incidentCommands({ incidents, readIncidents }: IncidentPorts) {
  const read = new Recent<OperatorAnswers['incidents']>();
  return {
    incidents: command('read', z.strictObject(pageOfLog), async ({ before, limit, max_age_seconds: seconds }) =>
      read.of(JSON.stringify([before, limit]), seconds * 1_000, async () => {
        try {
          const results = await within(readIncidents({ before, limit }), readWithinMs, 'DATABASE_UNAVAILABLE');
          return { results, unknown: null };
        } catch (error) {
          if (codeOf(error) !== 'DATABASE_UNAVAILABLE') throw error;
          const older = before === null ? incidents.list() : incidents.list().filter(({ id }) => id < before);
          return { results: older.slice(0, limit), unknown: 'the database does not answer' };
        }
      }),
    ),
  } satisfies SomeCommands;
}
