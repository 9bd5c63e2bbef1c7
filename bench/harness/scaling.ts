import { figureText, table } from './markdown.ts';
import type { Report, Result } from './report.ts';

/** What a plan leaves free: at more than this, waits grow faster than work. */
const busy = 0.7;
const cores = 16;

const paths = [
  ['pop', 'popped one by one'],
  ['push-normalizer', 'pushed one by one'],
  ['push-boefje', 'the same, with a schedule'],
  ['push-sets-of-1000', 'pushed in sets of 1 000'],
  ['lives', 'a whole life: pushed, popped, running, completed, one by one'],
  ['lives-in-sets-of-100', 'a whole life in sets of 100: pushed, popped, completed'],
] as const;

/** The part of docs/scaling.md that a run decides: its figures, and what follows from them by the arithmetic that it shows. */
export function scaling({ machine, results }: Report): string {
  const found = new Map(results.map((result) => [result.name, result]));
  const of = (name: string): Result => {
    const result = found.get(`supervisors/${name}`);
    if (result === undefined)
      throw new Error(`the run has no supervisors/${name}: make bench ARGS="--only supervisors"`);
    return result;
  };
  const figure = (name: string) => figureText(of(name).median);
  const per = paths.map(([path, what]) => {
    const [main, supervisor, postgres, log] = ['main-thread', 'supervisor', 'postgres', 'log'].map(
      (part) => of(`${path}-1-${part}`).median,
    ) as [number, number, number, number];
    return { path, what, main, supervisor, postgres, log };
  });
  const life = per.find(({ path }) => path === 'lives')!;
  const size = of('database').median;
  return [
    `Measured on ${machine.cores} × ${machine.cpu}, which Postgres, NATS and the load share; Node ${machine.node}; load average at the start ${machine.load_average}.`,
    ...(machine.load_average > machine.cores
      ? [
          'Other work kept this machine busy meanwhile: CPU times are inflated, by half and more, and rates and ratios say little. To be measured again alone.',
        ]
      : []),
    table(
      ['A task is', 'Main thread', 'Supervisor', 'Postgres', 'Log', 'One main thread', 'One core of Postgres'],
      per.map(({ what, main, supervisor, postgres, log }) => [
        what,
        `${figureText(main)} µs`,
        `${figureText(supervisor)} µs`,
        `${figureText(postgres)} µs`,
        `${figureText(log)} kB`,
        `${figureText(1e6 / main)}/s`,
        `${figureText(1e6 / postgres)}/s`,
      ]),
    ),
    '“Supervisor” is all of its threads, the main one included. The last two columns are 1 000 000 µs divided by the µs of a task: where one core ends that does nothing else.',
    ...(found.has('supervisors/idle-1-supervisor')
      ? [
          `Without a task a supervisor takes ${figure('idle-1-supervisor')} % of a core, and ${figure('idle-1-postgres')} % of one in Postgres; the table has that taken off.`,
        ]
      : []),
    'The same load on one, two and four supervisors of one database, on these cores (256 requests in flight for all together, 8 of sets of 100, 4 of 1 000):',
    table(
      ['A task is', '1', '2', '4', '2 : 1', '4 : 1'],
      paths.map(([path, what]) => [
        what,
        ...[1, 2, 4].map((count) => `${figure(`${path}-${count}`)}/s`),
        ...[2, 4].map((count) => (of(`${path}-${count}`).median / of(`${path}-1`).median).toFixed(2)),
      ]),
    ),
    `**${cores} cores.** A whole life, one by one, takes ${figureText(life.supervisor)} µs of a supervisor and ${figureText(life.postgres)} of Postgres. With ${busy * 100} % of the cores at work:`,
    `    ${cores} × ${busy} × 1 000 000 / (${figureText(life.supervisor)} + ${figureText(life.postgres)}) = ${figureText(lives(life))} lives/s`,
    `of which Postgres takes ${figureText((lives(life) * life.postgres) / 1e6)} cores (${figureText(lives(life))} × ${figureText(life.postgres)} µs), the supervisors ${figureText((lives(life) * life.supervisor) / 1e6)}. A main thread does ${busy} × 1 000 000 / ${figureText(life.main)} = ${figureText((busy * 1e6) / life.main)} lives/s, so ${Math.ceil((lives(life) * life.main) / 1e6 / busy)} supervisors. The log grows by ${figureText((lives(life) * life.log) / 1_000)} MB/s: that is what a disk, and a standby's network, have to take.`,
    `**A million tasks** are ${figureText(size)} GB of database, schedules, queue and indexes included (${figureText(size)} kB a task).`,
    organisations(life, size),
  ].join('\n\n');
}

function lives({ supervisor, postgres }: { readonly supervisor: number; readonly postgres: number }): number {
  return (cores * busy * 1e6) / (supervisor + postgres);
}

/** Of a KAT as large as none is yet. */
function organisations(
  life: { readonly main: number; readonly supervisor: number; readonly postgres: number; readonly log: number },
  size: number,
): string {
  const [count, objects, boefjes, normalizers, days] = [10_000, 500, 10, 1.5, 7];
  const runs = count * objects * boefjes;
  const tasks = runs * (1 + normalizers);
  const rate = tasks / 86_400;
  const work = (rate * (life.supervisor + life.postgres)) / 1e6;
  return [
    `**${figureText(count)} organisations** with ${objects} objects each, ${boefjes} boefjes an object a day, and ${normalizers} normalizers a boefje:`,
    `    ${figureText(count)} × ${objects} × ${boefjes} = ${figureText(runs)} boefjes a day, × ${1 + normalizers} = ${figureText(tasks)} tasks a day, / 86 400 = ${figureText(rate)} lives/s`,
    `That is ${figureText(rate)} × (${figureText(life.supervisor)} + ${figureText(life.postgres)}) µs = ${figureText(work)} cores, ${figureText(work / busy)} with room; supervisors: ${Math.ceil((rate * life.main) / 1e6 / busy)}, and one more to lose. ${days} days of retention are ${days} × ${figureText(tasks)} × ${figureText(size)} kB = ${figureText((days * tasks * size) / 1e9)} TB.`,
  ].join('\n\n');
}
