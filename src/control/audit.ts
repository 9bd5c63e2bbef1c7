import { z } from 'zod';
import type { AuditLog } from '../queue/maintenance/audit.ts';
import { lengths } from '../tasks/limits.ts';
import type { IncidentView } from '../protocol/operator-status.ts';
import { command, nothing, type SomeCommands } from './operator-command.ts';
import { listedText } from './paging.ts';

export interface AuditPorts {
  readonly readAudit: AuditLog['read'];
}

/** Who did what: to everything, or to one organisation. */
export function auditCommands({ readAudit }: AuditPorts) {
  return {
    audit: command(
      'read',
      z.strictObject({
        organisation: listedText(lengths.organisation).min(1).optional(),
        /** The id of an entry: older ones are wanted. */
        before: z.uuid().optional(),
        limit: z.int().min(1).max(200).default(50),
      }),
      async ({ organisation = null, before = null, limit }) => ({
        results: await readAudit({ organisation, before, limit }),
      }),
    ),
  } satisfies SomeCommands;
}

export interface IncidentPorts {
  readonly instance: string;
  readonly startedAt: Date;
  readonly incidents: { list(): readonly IncidentView[] };
}

/** `incidents`: trouble that this supervisor saw. */
export function incidentCommands({ instance, startedAt, incidents }: IncidentPorts) {
  return {
    incidents: command('read', nothing, async () => ({
      instance,
      since: startedAt.toISOString(),
      results: incidents.list(),
    })),
  } satisfies SomeCommands;
}
