import { z } from 'zod';
import { fromUnix, parseTimestamp, toDataForm } from './timestamp.ts';
import { parseUuid } from './uuid.ts';
import { boefjeHash, murmur128, normalizerHash, reportHash } from './hash.ts';

/**
 * What a task is about, by task type: the zod shapes that edges validate with, the hash, and the columns that the queue
 * keeps for filters and groups. Parsing drops unknown keys, secrets (`environment`, `runnable_hash`) among them; where
 * data is stored as it was given, `withoutSecrets` does that. kat-contract §1.
 */

/** Not z.uuid(), which refuses what Python's UUID takes: versions it does not know, no dashes, upper case. */
const uuid = z.string().transform((text, context) => {
  const parsed = parseUuid(text);
  if (parsed === null) context.addIssue({ code: 'custom', message: 'a UUID' });
  return parsed ?? text;
});

const timestamp = z.union([z.string(), z.number()]).transform((given, context) => {
  const parsed = typeof given === 'number' ? fromUnix(given) : parseTimestamp(given);
  if (parsed === null) context.addIssue({ code: 'custom', message: 'a timestamp' });
  return parsed === null ? String(given) : toDataForm(parsed);
});

/** Ids, organisations and OOIs: KAT's longest OOIs, URLs, are some hundred characters. They are stored, compared and shown. */
const key = z.string().max(1_024);

const boefje = z.object({
  id: key.min(1),
  name: z.string().nullable().default(null),
  version: z.string().nullable().default(null),
  oci_image: z.string().nullable().default(null),
});

export const boefjeData = z.object({
  id: uuid.nullish(),
  boefje,
  input_ooi: key.nullable().default(null),
  organization: key.min(1),
  deduplication_key: key.nullable().default(null),
  dispatches: z.array(z.unknown()).default([]),
});

const boefjeMeta = z.object({
  id: uuid,
  boefje,
  input_ooi: key.nullable().default(null),
  arguments: z.record(z.string(), z.unknown()).default({}),
  organization: key,
  started_at: timestamp.nullable().default(null),
  ended_at: timestamp.nullable().default(null),
});

export const rawData = z.object({
  id: uuid,
  boefje_meta: boefjeMeta,
  // Counted first: zod checks every item, and told of 300 000 that were wrong. KAT gives a raw file some five.
  mime_types: z
    .array(z.unknown())
    .max(1_000)
    .pipe(z.array(z.object({ value: z.string() }))),
  secure_hash: z.string().nullable().default(null),
  hash_retrieval_link: z.string().nullable().default(null),
});

export const normalizerData = z.object({
  id: uuid.nullish(),
  normalizer: z.object({
    id: key.min(1),
    name: z.string().nullable().default(null),
    version: z.string().nullable().default(null),
  }),
  raw_data: rawData,
});

/** A raw file that is asked about, as Bytes tells of it; a normalizer task has the same parts, and no size. */
export const rawFileQuestion = z.object({
  /** All that consume it where absent. */
  normalizer: z.object({ id: key.min(1) }).optional(),
  raw_data: rawData,
  size: z.number().int().min(0).nullish(),
});

export const reportData = z.object({
  organisation_id: key.min(1),
  report_recipe_id: key.min(1),
});

export type BoefjeData = z.output<typeof boefjeData>;
export type RawData = z.output<typeof rawData>;
export type NormalizerData = z.output<typeof normalizerData>;
export type RawFileQuestion = z.output<typeof rawFileQuestion>;
export type ReportData = z.output<typeof reportData>;

/** How the rest of Rota treats one type of task. A scheduler of another type gets `generic`. */
export interface TaskType<D = Record<string, unknown>> {
  readonly type: string;
  readonly schema: z.ZodType<D>;
  /** True where `data.id` must equal the task's id: push replaces both when they differ. */
  readonly carriesId: boolean;
  /** Where a push makes or moves a schedule: normalizer tasks have none. */
  readonly schedules: boolean;
  hash(data: D): string;
  /** What filters of runners and groups need, stored beside the pop order. */
  columns(data: D): QueueColumns;
}

export interface QueueColumns {
  readonly plugin: string | null;
  readonly image: string | null;
  readonly deduplicationKey: string | null;
}

const boefjeType: TaskType<BoefjeData> = {
  type: 'boefje',
  schema: boefjeData,
  carriesId: true,
  schedules: true,
  hash: (data) => boefjeHash({ boefjeId: data.boefje.id, inputOoi: data.input_ooi, organisation: data.organization }),
  columns: (data) => ({
    plugin: data.boefje.id,
    image: data.boefje.oci_image,
    deduplicationKey: data.deduplication_key,
  }),
};

const normalizerType: TaskType<NormalizerData> = {
  type: 'normalizer',
  schema: normalizerData,
  carriesId: true,
  schedules: false,
  hash: (data) =>
    normalizerHash({
      normalizerId: data.normalizer.id,
      boefjeMetaId: data.raw_data.boefje_meta.id,
      organisation: data.raw_data.boefje_meta.organization,
    }),
  columns: (data) => ({ plugin: data.normalizer.id, image: null, deduplicationKey: null }),
};

const reportType: TaskType<ReportData> = {
  type: 'report',
  schema: reportData,
  carriesId: false,
  schedules: true,
  hash: (data) => reportHash({ recipeId: data.report_recipe_id, organisation: data.organisation_id }),
  columns: (data) => ({ plugin: data.report_recipe_id, image: null, deduplicationKey: null }),
};

/** Any object; the hash is that of its JSON with sorted keys, so that equal data is queued once. */
function generic(type: string): TaskType {
  return {
    type,
    schema: z.record(z.string(), z.unknown()),
    carriesId: false,
    schedules: true,
    hash: (data) => murmur128(`${type}-${JSON.stringify(data, sortedKeys)}`),
    columns: () => ({ plugin: null, image: null, deduplicationKey: null }),
  };
}

function sortedKeys(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

const known = new Map<string, TaskType>(
  [boefjeType, normalizerType, reportType].map((entry) => [entry.type, entry as unknown as TaskType]),
);

export function taskTypeOf(type: string): TaskType {
  return known.get(type) ?? generic(type);
}

const secretKeys: ReadonlySet<string> = new Set(['environment', 'runnable_hash', 'settings']);

/**
 * Data as it was given, but for what a runner may have put into it: API keys (kat-contract §2), at whatever depth. The
 * queue calls it on all data that is stored, so that no edge can forget it. Data without secrets is not copied.
 */
export function withoutSecrets(data: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return kept(data) as Record<string, unknown>;
}

function kept(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  let changed = false;
  const members: [string, unknown][] = [];
  for (const [key, member] of Object.entries(value)) {
    if (secretKeys.has(key)) {
      changed = true;
      continue;
    }
    const left = kept(member);
    if (left !== member) changed = true;
    members.push([key, left]);
  }
  if (!changed) return value;
  return Array.isArray(value) ? members.map(([, member]) => member) : Object.fromEntries(members);
}
