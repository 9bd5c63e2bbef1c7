import { type Import, importsOf, type Source } from './imports.ts';

/** A rule of the house (docs: CONTRIBUTING.md): the violations it finds, as `file → target`. */
type ImportRule = (found: Import) => boolean;

const ourFolders = /^(?:src|actors|test|bench)\//;
const edges = ['nats', 'rest', 'events', 'cli'] as const;
/** node: modules that reach out of the process, or into other threads. */
const inputOutput =
  /^node:(?:fs|net|tls|dns|http2?|https|dgram|child_process|cluster|worker_threads|readline|process|inspector)\b/;
/** Packages that compute only. */
const purePackages = new Set(['zod', 'murmurhash3js-revisited']);

const folder = (path: string) => /^src\/([^/.]+)\//.exec(path)?.[1] ?? null;
const actor = (path: string) => /^actors\/([^/]+)\//.exec(path)?.[1] ?? null;
const isPackage = (target: string) =>
  !ourFolders.test(target) && !target.startsWith('node:') && !target.startsWith('.');
const composes = (path: string) => /^(?:src\/(?:main|cli)\.ts|actors\/host\.ts)$/.test(path);
const isTest = (path: string) => path.startsWith('test/') || path.startsWith('bench/');

const importRules: Readonly<Record<string, ImportRule>> = {
  'mailbox imports only node:': ({ from, target }) =>
    folder(from) === 'mailbox' && folder(target) !== 'mailbox' && !target.startsWith('node:'),

  'protocol is types only': ({ from, typeOnly }) => folder(from) === 'protocol' && !typeOnly,

  'tasks has no I/O': ({ from, target, typeOnly }) =>
    folder(from) === 'tasks' &&
    !typeOnly &&
    (inputOutput.test(target) ||
      (isPackage(target) && !purePackages.has(target)) ||
      (ourFolders.test(target) && folder(target) !== 'tasks' && target !== 'src/errors.ts')),

  'actors decide: they import values only from mailbox, protocol, tasks and their own folder': ({
    from,
    target,
    typeOnly,
  }) =>
    actor(from) !== null &&
    !typeOnly &&
    !['mailbox', 'protocol', 'tasks'].includes(folder(target) ?? '') &&
    actor(target) !== actor(from) &&
    !/^node:(?:crypto|assert)$/.test(target),

  'an actor never imports another': ({ from, target }) =>
    actor(from) !== null && target.startsWith('actors/') && actor(target) !== actor(from),

  'src never imports actors: the catalog finds them by URL': ({ from, target }) =>
    from.startsWith('src/') && target.startsWith('actors/'),

  'edges never import each other': ({ from, target }) =>
    isEdge(from) &&
    isEdge(target) &&
    folder(from) !== folder(target) &&
    !(folder(from) === 'cli' && folder(target) === 'nats'),

  'only the composition roots, the command line and the simulator import an edge': ({ from, target, typeOnly }) =>
    isEdge(target) && !typeOnly && !isEdge(from) && !composes(from) && !isTest(from) && folder(from) !== 'simulator',

  'edges know interfaces of the supervisor and the queue, and construct neither': ({ from, target, typeOnly }) =>
    isEdge(from) &&
    folder(from) !== 'cli' &&
    !typeOnly &&
    (['supervisor', 'ranking', 'kat', 'simulator', 'embedded'].includes(folder(target) ?? '') ||
      (folder(target) === 'queue' && !['src/queue/queue.ts', 'src/queue/filter.ts'].includes(target))),

  'OpenTelemetry is loaded by one module, where traces are exported': ({ from, target }) =>
    !isTest(from) && target.startsWith('@opentelemetry/') && from !== 'src/telemetry/otlp.ts',

  'production code imports no tests': ({ from, target }) => !isTest(from) && isTest(target),

  'there are no barrels': ({ target }) => /(?:^|\/)index\.ts$/.test(target),
};

function isEdge(path: string): boolean {
  return (edges as readonly (string | null)[]).includes(folder(path));
}

const bucket = /(?:^|[-_.])(?:utils?|helpers?|common|managers?|types|misc)(?:$|[-_.])/i;
const mostLines = 250;
/** One state machine each, with the page of its semantics: cut in two, it would have to be read in two places. */
const stateMachines: ReadonlySet<string> = new Set([
  'src/nats/service.ts', // docs/runtime-semantics.md
  'src/queue/push.ts', // docs/queue-semantics.md
  'src/queue/task-queue.ts',
  'src/queue/waiters.ts',
]);
const mostLinesOf = (path: string) => (stateMachines.has(path) ? 350 : mostLines);

/** Every breach of the rules of the house. */
export function violations(sources: readonly Source[]): readonly string[] {
  const modules = sources.filter(({ path }) => path.endsWith('.ts') && !path.endsWith('.d.ts'));
  const imports = modules.flatMap(importsOf);
  return [
    ...Object.entries(importRules).flatMap(([rule, breaks]) =>
      imports.filter(breaks).map(({ from, target }) => `${from} → ${target}: ${rule}`),
    ),
    ...cycles(imports).map((cycle) => `${cycle.join(' → ')}: no import cycles`),
    ...modules.filter(isBarrel).map(({ path }) => `${path}: there are no barrels`),
    ...modules
      .filter(({ path, text }) => text.trimEnd().split('\n').length > mostLinesOf(path))
      .map(({ path }) => `${path}: more than ${mostLinesOf(path)} lines`),
    ...sources
      .filter(({ path }) => path.split('/').some((part) => bucket.test(part)))
      .map(({ path }) => `${path}: a name that says what is in it`),
  ];
}

/** Nothing but re-exports. */
function isBarrel({ text }: Source): boolean {
  const statements = text
    .replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')
    .split(';')
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '');
  return statements.length > 0 && statements.every((statement) => /^export\s[^=(]*\sfrom\s/.test(statement));
}

/** Each cycle of value imports once, from its alphabetically first file. */
function cycles(imports: readonly Import[]): readonly (readonly string[])[] {
  const edgesOf = Map.groupBy(
    imports.filter(({ typeOnly, target }) => !typeOnly && ourFolders.test(target)),
    ({ from }) => from,
  );
  const found = new Map<string, readonly string[]>();
  const finished = new Set<string>();
  const visit = (path: string, trail: readonly string[]) => {
    const start = trail.indexOf(path);
    if (start >= 0) {
      const members = trail.slice(start);
      const first = members.indexOf(members.toSorted()[0]!);
      const cycle = [...members.slice(first), ...members.slice(0, first), members[first]!];
      found.set(cycle.join(), cycle);
    }
    if (start >= 0 || finished.has(path)) return;
    for (const { target } of edgesOf.get(path) ?? []) visit(target, [...trail, path]);
    finished.add(path);
  };
  for (const path of edgesOf.keys()) visit(path, []);
  return [...found.values()];
}
