import { expect, test } from 'vitest';
import { violations } from './support/architecture.ts';
import { importsOf, readSources, type Source } from './support/imports.ts';
import { measure, targets } from './support/targets.ts';

const root = new URL('../', import.meta.url);

test('the house keeps its rules', async () => {
  const sources = await readSources(root, ['src', 'actors', 'test', 'bench', 'sql']);
  expect(sources.map(({ path }) => path)).toContain('src/mailbox/mailbox.ts');
  expect(violations(sources)).toEqual([]);
});

test('the house is no larger, and no more entangled, than its targets say', async () => {
  const { files, medianLines, circles, arrowsUp } = measure(await readSources(root, ['src']));
  expect(files).toBeLessThanOrEqual(targets.files.now);
  expect(medianLines).toBeGreaterThanOrEqual(targets.medianLines.now);
  expect(circles.flat().length, circles.join('\n')).toBeLessThanOrEqual(targets.inCircles.now);
  expect(arrowsUp.length, arrowsUp.join('\n')).toBeLessThanOrEqual(targets.arrowsUp.now);
});

test('files, lines, circles of types and arrows up are measured as they are', () => {
  const files = {
    'src/errors.ts': "import type { Queue } from './queue/queue.ts';",
    'src/queue/queue.ts': "import type { A } from './a.ts';\nimport '../errors.ts';\nimport '../mailbox/mailbox.ts';",
    'src/queue/a.ts': "import type { B } from './b.ts';\n\n",
    'src/queue/b.ts': "import type { A } from './a.ts';\nimport { c } from '../nats/c.ts';",
    'src/main.ts': "import './queue/queue.ts';",
  };
  expect(measure(sourcesOf(files))).toEqual({
    files: 5,
    medianLines: 1,
    circles: [
      ['src/queue/a.ts', 'src/queue/b.ts'],
      ['src/errors.ts', 'src/queue/queue.ts'],
    ],
    arrowsUp: ['queue → nats', 'src/*.ts → queue'],
  });
});

test.for<[string, Record<string, string>, string]>([
  [
    'a mailbox that knows a package',
    { 'src/mailbox/a.ts': "import type { z } from 'zod';" },
    'src/mailbox/a.ts → zod: mailbox imports only node:, time and chance',
  ],
  [
    'a protocol with values',
    { 'src/protocol/a.ts': "import { type A, a } from '../tasks/a.ts';" },
    'src/protocol/a.ts → src/tasks/a.ts: protocol is types only',
  ],
  [
    'tasks that read files',
    { 'src/tasks/a.ts': "import { readFile } from 'node:fs/promises';" },
    'src/tasks/a.ts → node:fs/promises: tasks has no I/O',
  ],
  [
    'an actor that does I/O',
    { 'actors/boefje/a.ts': "import postgres from 'postgres';" },
    'actors/boefje/a.ts → postgres: actors decide: they import values only from mailbox, protocol, tasks, time and chance, and their own folder',
  ],
  [
    'an actor that imports another, a type even',
    { 'actors/boefje/a.ts': "import type { A } from '../report/behavior.ts';" },
    'actors/boefje/a.ts → actors/report/behavior.ts: an actor never imports another',
  ],
  [
    'a source that imports an actor dynamically',
    { 'src/supervisor/a.ts': "const a = await import('../../actors/boefje/behavior.ts');" },
    'src/supervisor/a.ts → actors/boefje/behavior.ts: src never imports actors: the catalog finds them by URL',
  ],
  [
    'an edge that knows another',
    { 'src/rest/a.ts': "import type { A } from '../nats/service.ts';" },
    'src/rest/a.ts → src/nats/service.ts: edges never import each other',
  ],
  [
    'a queue that talks to the wire itself',
    { 'src/queue/a.ts': "import {\n  publish,\n} from '../nats/publish.ts';" },
    'src/queue/a.ts → src/nats/publish.ts: only the composition roots, the command line and the simulator import an edge',
  ],
  [
    'an edge that constructs a supervisor',
    { 'src/rest/a.ts': "import { Supervisor } from '../supervisor/supervisor.ts';" },
    'src/rest/a.ts → src/supervisor/supervisor.ts: edges know interfaces of the supervisor and the queue, and construct neither',
  ],
  [
    'a source that loads OpenTelemetry whatever is configured',
    { 'src/queue/a.ts': "import { trace } from '@opentelemetry/api';" },
    'src/queue/a.ts → @opentelemetry/api: OpenTelemetry is loaded by one module, where traces are exported',
  ],
  [
    'a telemetry that knows its subscribers, a type even',
    { 'src/telemetry/a.ts': "import type { Readings } from '../observation/readings.ts';" },
    'src/telemetry/a.ts → src/observation/readings.ts: telemetry is what happens: it imports nothing upward, and nothing of observation, which listens',
  ],
  [
    'production code that leans on a test',
    { 'src/queue/a.ts': "export { b } from '../../test/support/database.ts';\nexport const a = 1;" },
    'src/queue/a.ts → test/support/database.ts: production code imports no tests',
  ],
  [
    'a cycle',
    {
      'src/queue/a.ts': "import { b } from './b.ts';",
      'src/queue/b.ts': "import { c } from './c.ts';",
      'src/queue/c.ts': "import './a.ts';",
    },
    'src/queue/a.ts → src/queue/b.ts → src/queue/c.ts → src/queue/a.ts: no import cycles',
  ],
  [
    'a barrel',
    { 'src/queue/all.ts': "export { a } from './a.ts';\nexport * from './b.ts';" },
    'src/queue/all.ts: there are no barrels',
  ],
  ['a god file', { 'bench/a.ts': 'x;\n'.repeat(251) }, 'bench/a.ts: more than 250 lines'],
  [
    'a deadline by the wall clock',
    { 'src/rest/a.ts': 'const deadline = new Date();' },
    'src/rest/a.ts: decides by the wall clock',
  ],
  [
    'a timer that no simulation sees',
    { 'src/queue/a.ts': 'const timer = setTimeout(run, 1_000);' },
    'src/queue/a.ts: takes time or chance past src/time-and-chance.ts',
  ],
  [
    'chance that no seed repeats',
    { 'actors/boefje/a.ts': 'const id = crypto.randomUUID();' },
    'actors/boefje/a.ts: takes time or chance past src/time-and-chance.ts',
  ],
  [
    'a statement without a bound',
    { 'src/queue/a.ts': 'await sql.begin(work);' },
    'src/queue/a.ts: statements go through src/postgres/pool.ts, where each has a bound',
  ],
  [
    'a command that writes by itself',
    { 'src/cli/a.ts': 'process.stdout.write(text);' },
    'src/cli/a.ts: writes past src/cli/terminal.ts, where control characters are escaped',
  ],
  ['a bucket', { 'src/queue/string-utils.ts': '' }, 'src/queue/string-utils.ts: a name that says what is in it'],
])('%s is reported', ([, files, violation]) => {
  expect(violations(sourcesOf(files))).toEqual([violation]);
});

test('types may point anywhere that their layer allows, and point in circles', () => {
  const files = {
    'actors/boefje/a.ts': "import type { KatServices } from '../../src/kat/kat.ts';",
    'src/queue/a.ts': "import type { B } from './b.ts';\nexport interface A {}",
    'src/queue/b.ts': "import type { A } from './a.ts';\nexport interface B {}",
    'src/rest/a.ts': "import type { Supervision } from '../supervisor/supervision.ts';",
  };
  expect(violations(sourcesOf(files))).toEqual([]);
});

test('an import in a comment is none', () => {
  const text = "/**\n * import { a } from './a.ts';\n */\n// import './b.ts';\nimport './c.ts';";
  expect(importsOf({ path: 'src/x.ts', text })).toEqual([{ from: 'src/x.ts', target: 'src/c.ts', typeOnly: false }]);
});

function sourcesOf(files: Readonly<Record<string, string>>): readonly Source[] {
  return Object.entries(files).map(([path, text]) => ({ path, text }));
}
