import { z } from 'zod';
import { type BoundedText, lengths, shortText } from './limits.ts';
import { fromUnix, parseTimestamp, parseUuid, toDataForm } from './lax.ts';
import { murmur128 } from './murmur3.ts';

/**
 * What a task is about, by task type: the zod shapes that edges validate with, the hash, and the columns that the queue
 * keeps for filters and groups. Parsing drops unknown keys, secrets (`environment`, `runnable_hash`) among them; where
 * data is stored as it was given, secrets.ts does that. kat-contract §1.
 */

const name = shortText(lengths.name);
const organisation = shortText(lengths.organisation);
const ooi = shortText(lengths.ooi);

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

const boefje = z.object({
  id: name.min(1),
  name: name.nullable().default(null),
  version: name.nullable().default(null),
  oci_image: name.nullable().default(null),
});

export const boefjeData = z.object({
  id: uuid.nullish(),
  boefje,
  input_ooi: ooi.nullable().default(null),
  organization: organisation.min(1),
  deduplication_key: name.nullable().default(null),
  dispatches: z.array(z.unknown()).default([]),
});

const boefjeMeta = z.object({
  id: uuid,
  boefje,
  input_ooi: ooi.nullable().default(null),
  arguments: z.record(z.string(), z.unknown()).default({}),
  organization: organisation,
  started_at: timestamp.nullable().default(null),
  ended_at: timestamp.nullable().default(null),
});

export const rawData = z.object({
  id: uuid,
  boefje_meta: boefjeMeta,
  // Counted first: zod checks every item, and reported 300 000 that were wrong. KAT gives a raw file some five.
  mime_types: z
    .array(z.unknown())
    .max(1_000)
    .pipe(z.array(z.object({ value: name }))),
  secure_hash: z.string().nullable().default(null),
  hash_retrieval_link: z.string().nullable().default(null),
});

export const normalizerData = z.object({
  id: uuid.nullish(),
  normalizer: z.object({
    id: name.min(1),
    name: name.nullable().default(null),
    version: name.nullable().default(null),
  }),
  raw_data: rawData,
});

/** A raw file that is asked about, as Bytes describes it; a normalizer task has the same parts, and no size. */
export const rawFileQuestion = z.object({
  /** All that consume it where absent. */
  normalizer: z.object({ id: name.min(1) }).optional(),
  raw_data: rawData,
  size: z.number().int().min(0).nullish(),
});

export const reportData = z.object({
  organisation_id: name.min(1),
  report_recipe_id: name.min(1),
});

export type BoefjeData = z.output<typeof boefjeData>;
export type RawData = z.output<typeof rawData>;
export type NormalizerData = z.output<typeof normalizerData>;
export type RawFileQuestion = z.output<typeof rawFileQuestion>;
export type ReportData = z.output<typeof reportData>;

export function boefjeHash(task: { boefjeId: string; inputOoi: string | null; organisation: string }): string {
  return murmur128(
    task.inputOoi === null || task.inputOoi === ''
      ? `${task.boefjeId}-${task.organisation}`
      : `${task.inputOoi}-${task.boefjeId}-${task.organisation}`,
  );
}

export function normalizerHash(task: { normalizerId: string; boefjeMetaId: string; organisation: string }): string {
  return murmur128(`${task.normalizerId}-${task.boefjeMetaId}-${task.organisation}`);
}

export function reportHash(task: { recipeId: string; organisation: string }): string {
  return murmur128(`${task.recipeId}-${task.organisation}`);
}

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
  /** What goes into indexes and answers: its field, the text, and how many bytes it may have. */
  texts(data: D): readonly BoundedText[];
}

interface QueueColumns {
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
  texts: ({ boefje: { id, name, version, oci_image }, ...data }) => [
    ['boefje.id', id, lengths.name],
    ['boefje.name', name, lengths.name],
    ['boefje.version', version, lengths.name],
    ['boefje.oci_image', oci_image, lengths.name],
    ['input_ooi', data.input_ooi, lengths.ooi],
    ['organization', data.organization, lengths.organisation],
    ['deduplication_key', data.deduplication_key, lengths.name],
  ],
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
  texts: ({ normalizer: { id, name, version }, raw_data: { boefje_meta: meta } }) => [
    ['normalizer.id', id, lengths.name],
    ['normalizer.name', name, lengths.name],
    ['normalizer.version', version, lengths.name],
    ['raw_data.boefje_meta.boefje.id', meta.boefje.id, lengths.name],
    ['raw_data.boefje_meta.input_ooi', meta.input_ooi, lengths.ooi],
    ['raw_data.boefje_meta.organization', meta.organization, lengths.organisation],
  ],
};

const reportType: TaskType<ReportData> = {
  type: 'report',
  schema: reportData,
  carriesId: false,
  schedules: true,
  hash: (data) => reportHash({ recipeId: data.report_recipe_id, organisation: data.organisation_id }),
  columns: (data) => ({ plugin: data.report_recipe_id, image: null, deduplicationKey: null }),
  texts: (data) => [
    ['report_recipe_id', data.report_recipe_id, lengths.name],
    ['organisation_id', data.organisation_id, lengths.organisation],
  ],
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
    texts: () => [],
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
