import { z } from 'zod';
import { RotaError } from '../errors.ts';
import { deepestNesting, jsonExcess, lengths, mostValues, shortText } from '../tasks/limits.ts';
import type { RawFileReceived, ScanProfileMutated, StreamEvent } from '../protocol/events.ts';
import type { EventStream } from '../protocol/scheduler.ts';
import { rawData } from '../tasks/data.ts';
import { parseTimestamp, toEpochMs } from '../tasks/lax.ts';

/** Messages of Octopoes and Bytes, byte for byte the same on RabbitMQ and JetStream; kat-contract §4. */

const scanProfileMutation = z
  .object({
    operation: z.enum(['create', 'update', 'delete']),
    primary_key: shortText(lengths.ooi).min(1),
    client_id: shortText(lengths.organisation).min(1),
    value: z
      .object({
        object_type: shortText(lengths.name).nullish(),
        scan_profile: z.object({ level: z.number().int().min(0).max(4).nullish() }).nullish(),
      })
      .nullish(),
  })
  .transform((read): ScanProfileMutated => ({
    kind: 'scan-profile-mutated',
    operation: read.operation,
    organisation: read.client_id,
    primaryKey: read.primary_key,
    objectType: read.value?.object_type ?? null,
    scanLevel: read.value?.scan_profile?.level ?? null,
  }));

/** As mula reads it: a time without a zone is UTC. Epoch milliseconds. */
const timestamp = z.string().transform((text, context) => {
  const parsed = parseTimestamp(text);
  if (parsed === null) context.addIssue({ code: 'custom', message: 'a timestamp' });
  return parsed === null ? 0 : toEpochMs(parsed);
});

/** Only what `rawData` names is kept: `environment` and `runnable_hash`, which may hold secrets, are dropped. */
const rawFileReceived = z
  .object({
    created_at: timestamp,
    organization: shortText(lengths.organisation).min(1),
    raw_data: rawData.extend({ size: z.number().int().min(0).nullish() }),
  })
  .transform((read): RawFileReceived => {
    const { size, ...raw } = read.raw_data;
    return {
      kind: 'raw-file-received',
      organisation: read.organization,
      createdAt: read.created_at,
      rawData: raw,
      size: size ?? null,
    };
  });

/** The schema of each stream's messages. */
export const eventSchemas: Readonly<Record<EventStream, z.ZodType<StreamEvent>>> = {
  scan_profile_mutations: scanProfileMutation,
  raw_file_received: rawFileReceived,
};

/** In bytes: the largest message that NATS carries as it is delivered. KAT's events have 5 kB; parsed, they take five times that. */
const largestBody = 1_048_576;

/**
 * Reads a message once, from its bytes to the event that the actor gets.
 *
 * @throws RotaError INVALID_REQUEST that names the field: this message will never parse.
 */
export function parseEvent(stream: EventStream, body: Uint8Array): StreamEvent {
  const parsed = eventSchemas[stream].safeParse(json(stream, body));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const field = issue?.path.map(String).join('.') || '(the whole)';
  throw new RotaError('INVALID_REQUEST', `malformed ${stream} message: ${field}: ${issue?.message}`, {
    fields: { stream, field },
  });
}

function json(stream: EventStream, body: Uint8Array): unknown {
  const malformed = (what: string) =>
    new RotaError('INVALID_REQUEST', `malformed ${stream} message: ${what}`, { fields: { stream } });
  if (body.length > largestBody) throw malformed(`${body.length} bytes, expected ${largestBody} at most`);
  let text: string;
  let parsed: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    throw malformed('not JSON');
  }
  // Deeper ones end the thread, or a whole batch of pushes with them, wherever they are walked through or sent on.
  const excess = jsonExcess(text);
  if (excess === 'depth') throw malformed(`nests deeper than ${deepestNesting} levels`);
  if (excess === 'values') throw malformed(`more than ${mostValues} values`);
  try {
    parsed = JSON.parse(text);
  } catch {
    throw malformed('not JSON');
  }
  // Postgres stores neither: a query about such an OOI would end the actor each time the event comes back. In JSON both
  // are escaped.
  if (text.includes('\\u') && !storable(parsed)) throw malformed('a NUL or half a surrogate pair in a string');
  return parsed;
}

function storable(value: unknown): boolean {
  if (typeof value === 'string') return !value.includes('\0') && value.isWellFormed();
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([key, member]) => storable(key) && storable(member));
}
