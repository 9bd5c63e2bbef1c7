import { fileURLToPath } from 'node:url';
import { importsOf, readSources, type Import, type Source } from './imports.ts';

/**
 * How large the house may be: `now` is asserted (test/architecture.test.ts; the ways in test/integration/passed-files.test.ts)
 * and only ever tightened, `goal` is where it is to go.
 */
export const targets = {
  // Ten of them are limits and windows, one is where time and chance enter, one the hash of tasks, 40 are the simulation of days, `rota simulate` with it, three what it shares with
  // the queue: streaks, starts and the bodies of limits; 17 ask
  // by it what would happen to the queue of a database, and the two that draw it were in bench.
  files: { now: 388, goal: 265, what: 'files in src, at most' },
  medianLines: { now: 115, goal: 90, what: 'median of their lines, at least' },
  inCircles: { now: 0, goal: 0, what: 'files in a circle of imports, types included, at most' },
  arrowsUp: { now: 2, goal: 2, what: 'pairs of layers of which the lower one imports the upper one, at most' },
  // Time and chance enter by one file, which each of these ways passes. The hash of tasks is a file of ours, and was a package.
  mutation: { now: 47, goal: 45, what: 'files from a mutation to its queued task, at most' },
  pop: { now: 15, goal: 14, what: 'files of a pop behind its edge, at most' },
  settle: { now: 11, goal: 12, what: 'files of a settlement behind its edge, at most' },
  list: { now: 20, goal: 18, what: 'files of a list with filters, at most' },
  // Limits and windows are five of them: what holds a task is asked of them. Failures in a row are one, which the simulation shares.
  explain: { now: 42, goal: 30, what: 'files of an explanation behind its edge, to the actor and back, at most' },
} as const satisfies Readonly<Record<string, Target>>;

interface Target {
  readonly now: number;
  readonly goal: number;
  readonly what: string;
}

/** From the lowest: each folder of src may import those before it. Its single files come first, its composition roots last. */
const layers = [
  'mailbox',
  'tasks',
  'plots',
  'protocol',
  'telemetry',
  'postgres',
  'config',
  'kat',
  'events',
  'queue',
  'ranking',
  'supervisor',
  'observation',
  'control',
  'nats',
  'rest',
  'page',
  'simulator',
  'embedded',
  'cli',
];
const roots = /^src\/(?:main|cli)\.ts$/;

interface Measures {
  readonly files: number;
  readonly medianLines: number;
  /** Each group of files that reach each other. */
  readonly circles: readonly (readonly string[])[];
  /** `lower → upper`, each once. */
  readonly arrowsUp: readonly string[];
}

export function measure(sources: readonly Source[]): Measures {
  const modules = sources.filter(({ path }) => path.startsWith('src/') && path.endsWith('.ts'));
  const imports = modules.flatMap(importsOf).filter(({ target }) => target.startsWith('src/'));
  const lines = modules.map(({ text }) => text.trimEnd().split('\n').length).toSorted((a, b) => a - b);
  const up = imports.filter(({ from, target }) => layerOf(from) < layerOf(target));
  return {
    files: modules.length,
    medianLines: lines[lines.length >> 1] ?? 0,
    circles: circlesOf(imports),
    arrowsUp: [...new Set(up.map(({ from, target }) => `${folderOf(from)} → ${folderOf(target)}`))].toSorted(),
  };
}

function folderOf(path: string): string {
  return roots.test(path) ? 'roots' : (/^src\/([^/]+)\//.exec(path)?.[1] ?? 'src/*.ts');
}

function layerOf(path: string): number {
  const folder = folderOf(path);
  const layer = layers.indexOf(folder);
  if (layer >= 0) return layer;
  if (folder === 'roots') return layers.length;
  if (folder === 'src/*.ts') return -1;
  throw new Error(`src/${folder} has no place among the layers of test/support/targets.ts`);
}

/** Tarjan's strongly connected components, those of more than one file. */
function circlesOf(imports: readonly Import[]): readonly (readonly string[])[] {
  const targetsOf = Map.groupBy(imports, ({ from }) => from);
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const circles: (readonly string[])[] = [];
  const visit = (path: string) => {
    index.set(path, index.size);
    low.set(path, index.get(path)!);
    stack.push(path);
    for (const { target } of targetsOf.get(path) ?? []) {
      if (!index.has(target)) visit(target);
      if (stack.includes(target)) low.set(path, Math.min(low.get(path)!, low.get(target)!));
    }
    if (low.get(path) !== index.get(path)) return;
    const circle = stack.splice(stack.indexOf(path));
    if (circle.length > 1) circles.push(circle.toSorted());
  };
  for (const path of targetsOf.keys()) if (!index.has(path)) visit(path);
  return circles;
}

/** `node test/support/targets.ts` prints what it measures of the sources. */
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { files, medianLines, circles, arrowsUp } = measure(
    await readSources(new URL('../../', import.meta.url), ['src']),
  );
  const rows: readonly (readonly [keyof typeof targets, number])[] = [
    ['files', files],
    ['medianLines', medianLines],
    ['inCircles', circles.flat().length],
    ['arrowsUp', arrowsUp.length],
  ];
  for (const [name, measured] of rows) {
    const { now, goal, what } = targets[name];
    process.stdout.write(`${String(measured).padStart(5)}  ${what} ${now} (goal ${goal})\n`);
  }
  for (const circle of circles) process.stdout.write(`circle: ${circle.join(', ')}\n`);
  for (const arrow of arrowsUp) process.stdout.write(`up: ${arrow}\n`);
}
