import { type Import, importsOf, type Source } from './imports.ts';

/** A rule of the house (docs: CONTRIBUTING.md): the violations it finds, as `file → target`. */
type ImportRule = (found: Import) => boolean;

const ourFolders = /^(?:src|actors|test|bench)\//;
const edges = ['nats', 'rest', 'page', 'events', 'cli'] as const;
/** node: modules that reach out of the process, or into other threads. */
const inputOutput =
  /^node:(?:fs|net|tls|dns|http2?|https|dgram|child_process|cluster|worker_threads|readline|process|inspector)\b/;
/** Packages that compute only. */
const purePackages = new Set(['zod']);

const folder = (path: string) => /^src\/([^/.]+)\//.exec(path)?.[1] ?? null;
const actor = (path: string) => /^actors\/([^/]+)\//.exec(path)?.[1] ?? null;
const isPackage = (target: string) =>
  !ourFolders.test(target) && !target.startsWith('node:') && !target.startsWith('.');
const composes = (path: string) => /^(?:src\/(?:main|cli)\.ts|actors\/host\.ts)$/.test(path);
const isTest = (path: string) => path.startsWith('test/') || path.startsWith('bench/');

const importRules: Readonly<Record<string, ImportRule>> = {
  'mailbox imports only node:, time and chance': ({ from, target }) =>
    folder(from) === 'mailbox' &&
    folder(target) !== 'mailbox' &&
    !target.startsWith('node:') &&
    target !== timeAndChance,

  'protocol is types only': ({ from, typeOnly }) => folder(from) === 'protocol' && !typeOnly,

  'tasks has no I/O': ({ from, target, typeOnly }) =>
    folder(from) === 'tasks' &&
    !typeOnly &&
    (inputOutput.test(target) ||
      (isPackage(target) && !purePackages.has(target)) ||
      (ourFolders.test(target) &&
        folder(target) !== 'tasks' &&
        target !== 'src/errors.ts' &&
        target !== 'src/printable.ts')),

  'actors decide: they import values only from mailbox, protocol, tasks, time and chance, and their own folder': ({
    from,
    target,
    typeOnly,
  }) =>
    actor(from) !== null &&
    !typeOnly &&
    !['mailbox', 'protocol', 'tasks'].includes(folder(target) ?? '') &&
    target !== timeAndChance &&
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
    (['supervisor', 'ranking', 'kat', 'simulator', 'embedded', 'postgres'].includes(folder(target) ?? '') ||
      (folder(target) === 'queue' &&
        !['src/queue/queue.ts', 'src/queue/filter/filter.ts', 'src/queue/filter/schema.ts'].includes(target))),

  'telemetry is what happens: it imports nothing upward, and nothing of observation, which listens': ({
    from,
    target,
  }) =>
    folder(from) === 'telemetry' &&
    ourFolders.test(target) &&
    !['telemetry', 'mailbox', 'protocol', 'tasks'].includes(folder(target) ?? '') &&
    !['src/errors.ts', 'src/printable.ts'].includes(target),

  'OpenTelemetry is loaded by one module, where traces are exported': ({ from, target }) =>
    !isTest(from) && target.startsWith('@opentelemetry/') && from !== 'src/observation/otlp.ts',

  'production code imports no tests': ({ from, target }) => !isTest(from) && isTest(target),

  'there are no barrels': ({ target }) => /(?:^|\/)index\.ts$/.test(target),
};

function isEdge(path: string): boolean {
  return (edges as readonly (string | null)[]).includes(folder(path));
}

/**
 * The wall clock of this machine may be an hour off. What is decided by time goes by the database's clock (Setup.now, or
 * what main.ts hands in as `now`), how long something takes by performance.now(). It is read for people's eyes (telemetry,
 * cli), to stand for another machine's (simulator), and where it is said here why.
 */
const readsWallClock: ReadonlyMap<string, string> = new Map([
  ['src/queue/schema/diagnosis.ts', 'it compares both clocks'],
  ['src/queue/push/rank.ts', 'where no ranker is configured: tests and benchmarks'],
  ['src/control/wording.ts', 'ages, for people'],
  ['src/tasks/cron.ts', 'whether a cron ever runs, not when'],
]);
const wallClock = /\bDate\.now\b|\bnew Date\(\)|\btime\.wallMs\b/;

/** What a simulation runs on virtual time and with seeded chance takes both from one place. */
const timeAndChance = 'src/time-and-chance.ts';
const simulated = /^(?:src\/(?:queue|mailbox|supervisor|ranking|kat)\/|src\/deadline\.ts$|actors\/)/;
const ownTimeOrChance =
  /(?<![\w.])(?:set(?:Timeout|Interval|Immediate)|randomUUID(?:v7)?|randomBytes)\(|\b(?:Date\.now|performance\.now|Math\.random|crypto\.(?:random\w+|getRandomValues))\b|\bnew Date\(\)|'node:timers/;

/** Foreign text may control a terminal: these escape what they write. src/cli.ts only listens for their ends. */
const writers: ReadonlySet<string> = new Set(['src/cli/terminal.ts', 'src/telemetry/log.ts', 'src/cli.ts']);
const writesByItself =
  /\bprocess\s*\.\s*(?:stdout|stderr|_rawDebug)\b|\bconsole\s*\.|\bfd: ?[12]\b|\bwriteSync\(|from 'log-update'/;

const bucket = /(?:^|[-_.])(?:utils?|helpers?|common|managers?|types|misc)(?:$|[-_.])/i;
const mostLines = 250;
/** One state machine each, with the page of its semantics, or one table: cut in two, it would have to be read in two places. */
const stateMachines: ReadonlySet<string> = new Set([
  'src/main.ts',
  'src/nats/service.ts',
  'src/observation/metrics-of-readings.ts',
  'src/queue/push/push.ts',
  'src/queue/settle/settle.ts',
  'src/queue/task-queue.ts',
  'src/queue/pop/waiters.ts',
]);
const mostLinesOf = (path: string) => (stateMachines.has(path) || path.startsWith('test/') ? 350 : mostLines);

/** Every breach of the rules of the house. */
export function violations(sources: readonly Source[]): readonly string[] {
  const modules = sources.filter(({ path }) => path.endsWith('.ts') && !path.endsWith('.d.ts'));
  const imports = modules.flatMap(importsOf);
  return [
    ...Object.entries(importRules).flatMap(([rule, breaks]) =>
      imports.filter(breaks).map(({ from, target }) => `${from} → ${target}: ${rule}`),
    ),
    ...cycles(imports).map((cycle) => `${cycle.join(' → ')}: no import cycles`),
    ...modules
      .filter(asksUnbounded)
      .map(({ path }) => `${path}: statements go through src/postgres/pool.ts, where each has a bound`),
    ...modules.filter(isBarrel).map(({ path }) => `${path}: there are no barrels`),
    ...modules
      .filter(({ path, text }) => text.trimEnd().split('\n').length > mostLinesOf(path))
      .map(({ path }) => `${path}: more than ${mostLinesOf(path)} lines`),
    ...modules
      .filter(
        ({ path, text }) =>
          path !== timeAndChance && decides(path) && !readsWallClock.has(path) && wallClock.test(text),
      )
      .map(({ path }) => `${path}: decides by the wall clock`),
    ...modules
      .filter(({ path, text }) => simulated.test(path) && ownTimeOrChance.test(text))
      .map(({ path }) => `${path}: takes time or chance past ${timeAndChance}`),
    ...modules
      .filter(({ path, text }) => !isTest(path) && !writers.has(path) && writesByItself.test(text))
      .map(({ path }) => `${path}: writes past src/cli/terminal.ts, where control characters are escaped`),
    ...sources
      .filter(({ path }) => path.split('/').some((part) => bucket.test(part)))
      .map(({ path }) => `${path}: a name that says what is in it`),
  ];
}

function decides(path: string): boolean {
  return !isTest(path) && !['cli', 'simulator', 'telemetry'].includes(folder(path) ?? '');
}

/** The driver's own ways to the database wait forever: for a connection, for `begin`, for an answer. */
function asksUnbounded({ path, text }: Source): boolean {
  return path.startsWith('src/') && path !== 'src/postgres/pool.ts' && /\.(?:unsafe|begin|reserve)\(|\bsql`/.test(text);
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
