import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RotaError } from '../errors.ts';
import { failureOf } from '../mailbox/failure.ts';
import type { Message } from '../mailbox/message.ts';
import type { RankerModule } from '../protocol/ranking.ts';
import type { SchedulerDefinition } from '../protocol/scheduler.ts';
import { eventStreams } from '../tasks/task.ts';

/** Every scheduler (a folder) and ranker (a file), found by its path. Nothing is registered. */
export interface Catalog {
  /** URL of host.ts, the entry of every scheduler thread. */
  readonly host: string;
  readonly actors: readonly CatalogActor[];
  /** URL by ranker name. */
  readonly rankers: ReadonlyMap<string, string>;
}

interface CatalogActor {
  readonly name: string;
  /** URL of its behavior.ts. */
  readonly behavior: string;
  readonly definition: SchedulerDefinition;
}

/** Of a scheduler's tasks. One that the catalog lacks has a type by its own name. */
export function typeOf({ actors }: Pick<Catalog, 'actors'>, scheduler: string): string {
  return actors.find(({ name }) => name === scheduler)?.definition.type ?? scheduler;
}

/** Rota's own. */
export const actorsDirectory = new URL('../../actors/', import.meta.url);

const rankersFolder = 'rankers';
/** Of two files that differ in this alone, the first counts: what a compiler wrote stands beside its source. */
const extensions = ['.ts', '.mts', '.js', '.mjs'];
/** The name is the scheduler's id, which URLs and NATS subjects contain. */
const folderName = /^[a-z][a-z0-9-]*$/;
const streams: ReadonlySet<string> = new Set(eventStreams);

/**
 * Reads the catalog: `<name>/behavior.ts` and `rankers/<name>.ts` of each directory, or `.js` (Rota's own in its npm package).
 * `only`: SCHEDULER_ACTORS, comma-separated names; all where absent.
 *
 * @throws RotaError BAD_CONFIG with the path of the faulty file or folder, and what it lacks.
 */
export async function readCatalog(
  directories: readonly URL[] = [actorsDirectory],
  options: { only?: string | undefined; host?: URL } = {},
): Promise<Catalog> {
  const folders = new Map<string, URL>();
  const rankers = new Map<string, string>();
  for (const directory of directories) {
    const found = await foldersIn(directory);
    const ofDirectory = await readRankers(new URL(`${rankersFolder}/`, directory));
    if (found.size === 0 && ofDirectory.size === 0)
      throw broken(fileURLToPath(directory), 'a scheduler (<name>/behavior.ts) or a ranker (rankers/<name>.ts) in it');
    for (const [name, folder] of found) addOnce(folders, name, folder, fileURLToPath(folder));
    for (const [name, url] of ofDirectory) addOnce(rankers, name, url, fileURLToPath(url));
  }
  const names = narrow([...folders.keys()].toSorted(), options.only);
  return {
    host: (options.host ?? new URL(`host${extname(import.meta.url)}`, actorsDirectory)).href,
    actors: await Promise.all(names.map((name) => readActor(name, folders.get(name)!))),
    rankers,
  };
}

async function foldersIn(directory: URL): Promise<ReadonlyMap<string, URL>> {
  const entries = await readdir(directory, { withFileTypes: true }).catch((error: unknown) => {
    throw broken(fileURLToPath(directory), 'a folder of schedulers and rankers', error);
  });
  const folders = entries.filter((entry) => entry.isDirectory() && entry.name !== rankersFolder);
  return new Map(folders.map(({ name }) => [name, new URL(`${encodeURIComponent(name)}/`, directory)]));
}

function addOnce<T>(known: Map<string, T>, name: string, value: T, path: string): void {
  if (known.has(name)) throw broken(path, `a name that is not taken: there is '${name}' already`);
  known.set(name, value);
}

/**
 * Each scheduler's ranker: its definition's, unless `overrides` (SCHEDULER_<SCHEDULER>_RANKER) names another.
 *
 * @throws RotaError BAD_CONFIG that names the scheduler and the known rankers.
 */
export function rankersOf(catalog: Catalog, overrides: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  return new Map(
    catalog.actors.map(({ name, definition }) => {
      const ranker = overrides[name] ?? definition.ranker;
      if (!catalog.rankers.has(ranker))
        throw broken(`ranker '${ranker}' of scheduler '${name}'`, `one of ${[...catalog.rankers.keys()].join(', ')}`);
      return [name, ranker];
    }),
  );
}

function narrow(names: readonly string[], only: string | undefined): readonly string[] {
  if (only === undefined) return names;
  const wanted = only.split(',').map((name) => name.trim());
  const unknown = wanted.filter((name) => !names.includes(name));
  if (unknown.length > 0) throw broken(`SCHEDULER_ACTORS=${only}`, `names out of ${names.join(', ')}`);
  return names.filter((name) => wanted.includes(name));
}

async function readActor(name: string, folder: URL): Promise<CatalogActor> {
  if (!folderName.test(name)) throw broken(fileURLToPath(folder), 'a name of small letters, digits and hyphens');
  const behavior = extensions
    .map((extension) => new URL(`behavior${extension}`, folder))
    .find((file) => existsSync(file));
  if (behavior === undefined) throw broken(fileURLToPath(folder), 'a file behavior.ts or behavior.js');
  const module = await load<{ default?: unknown }>(behavior);
  const lacking = lackingInDefinition(module.default);
  if (lacking.length > 0)
    throw broken(fileURLToPath(behavior), `a default export (SchedulerDefinition) with ${lacking.join(', ')}`);
  return { name, behavior: behavior.href, definition: module.default as SchedulerDefinition };
}

function lackingInDefinition(exported: unknown): readonly string[] {
  const definition = (exported ?? {}) as Partial<Record<keyof SchedulerDefinition, unknown>>;
  const text = (value: unknown) => typeof value === 'string' && value !== '';
  const listOf = (value: unknown, fits: (item: never) => boolean) => Array.isArray(value) && value.every(fits as never);
  const clock = (item: { message?: Message; everyMs?: number }) =>
    text(item?.message?.kind) && Number(item.everyMs) > 0;
  const checks: readonly [string, boolean][] = [
    ['type: string', text(definition.type)],
    ['itemType: string', text(definition.itemType)],
    ['ranker: string', text(definition.ranker)],
    [`streams: a list of ${[...streams].join(' | ')}`, listOf(definition.streams, (item: string) => streams.has(item))],
    ['clocks: a list of {message: {kind}, everyMs > 0}', listOf(definition.clocks, clock)],
    ['start: function', typeof definition.start === 'function'],
  ];
  return checks.filter(([, fits]) => !fits).map(([wanted]) => wanted);
}

/** URL by name. */
export async function readRankers(folder: URL): Promise<ReadonlyMap<string, string>> {
  if (!existsSync(folder)) return new Map();
  const files = (await readdir(folder)).filter((file) => !file.endsWith('.d.ts')).toSorted();
  const byName = new Map<string, string>();
  for (const extension of extensions.toReversed())
    for (const file of files.filter((each) => extname(each) === extension))
      byName.set(file.slice(0, -extension.length), file);
  const rankers = [...byName].map(async ([name, file]): Promise<[string, string]> => {
    const url = new URL(encodeURIComponent(file), folder);
    const module = await load<Partial<RankerModule>>(url);
    if (typeof module.default !== 'function') throw broken(fileURLToPath(url), 'a default export: rank(batch)');
    return [name, url.href];
  });
  return new Map(await Promise.all(rankers));
}

async function load<T>(url: URL): Promise<T> {
  try {
    return (await import(url.href)) as T;
  } catch (error) {
    const { message } = failureOf(error);
    // `npm init` writes "type": "commonjs".
    const isCommonJs = /Cannot use import statement|Unexpected token 'export'/.test(message);
    const advice = isCommonJs ? '; its package.json needs "type": "module"' : '';
    throw broken(fileURLToPath(url), `a module that loads (${message}${advice})`, error);
  }
}

function broken(what: string, expected: string, cause?: unknown): RotaError {
  return new RotaError('BAD_CONFIG', `${what}: expected ${expected}`, { cause });
}
