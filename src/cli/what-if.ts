import { open } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import { readConfig } from '../config/config.ts';
import { age } from '../control/wording.ts';
import { codeOf, RotaError } from '../errors.ts';
import { failureOf } from '../mailbox/failure.ts';
import type { QueueOutcome, Wait } from '../simulator/what-if/depths.ts';
import type { WhatIfReport } from '../simulator/what-if/report.ts';
import { assumedSeconds } from '../simulator/what-if/service-times.ts';
import { tableOf } from './table.ts';
import { line, write, writeJson } from './terminal.ts';
import { changedStanding, dashed, type GivenChanges } from './what-if-changes.ts';

export interface WhatIfOptions extends GivenChanges {
  /** True: that of SCHEDULER_DB_URI. */
  readonly fromDatabase: string | true;
  readonly days: number;
  readonly seed: number;
  readonly plot?: string;
  readonly json?: boolean;
}

/** The history of one day says little of a week. */
export const whatIfDays = 2;

const changes = ['pause', 'resume', 'weight', 'limit', 'window', 'withoutLimit', 'workers'] as const;

/** What `rota simulate` takes beside `--from-database`. */
export function whatIfOptions(): readonly Option[] {
  const several = (flags: string, description: string) =>
    new Option(flags, description).argParser<readonly string[] | undefined>((text, before) => [
      ...(before ?? []),
      text,
    ]);
  return [
    new Option(
      '--from-database [url]',
      'what would happen to the queue of a Rota; SCHEDULER_DB_URI where no URL is given',
    ),
    several('--pause <words>', "with that pause, as of rota pause: 'boefje --organisation acme'"),
    several('--resume <words>', 'without that pause'),
    several('--weight <words>', "with that weight, as of rota weights set: 'boefje acme 2'"),
    several('--limit <words>', "with that limit, as of rota limits set: 'shodan --boefje shodan --rate 1/s'"),
    several('--window <words>', 'with that window, as of rota windows set: "nights --opens \'0 22 * * *\' --for 8h"'),
    several('--without-limit <name>', 'without that limit or window'),
    several('--workers <words>', "with so many tasks worked on at once: 'boefje 8'"),
    new Option('--plot <file>', 'draw who waits over time, as SVG'),
  ];
}

/** Of a KAT that is simulated. */
const simulatedOnly = ['organisations', 'objects', 'boefjes', 'seeds', 'faults', 'policy', 'limits', 'trace'] as const;

/**
 * Whether it asks about a database.
 * @throws RotaError INVALID_REQUEST for an option that goes with the other kind of simulation
 */
export function isWhatIf(command: Command, given: Partial<WhatIfOptions>): given is WhatIfOptions {
  const isDatabase = given.fromDatabase !== undefined;
  const others: readonly string[] = isDatabase ? simulatedOnly : [...changes, 'plot'];
  const other = others.find((name) => command.getOptionValueSource(name) === 'cli');
  if (other === undefined) return isDatabase;
  const why = isDatabase ? 'is for a KAT that is simulated, not for --from-database' : 'goes with --from-database';
  throw new RotaError('INVALID_REQUEST', `--${dashed(other)} ${why}`);
}

/** `rota simulate --from-database`: docs/simulation.md, "What if". It writes nothing into the database. */
export async function runWhatIf(options: WhatIfOptions): Promise<void> {
  const { days, seed, plot, json = false } = options;
  const config = readConfig(process.env);
  const url = options.fromDatabase === true ? config.SCHEDULER_DB_URI : options.fromDatabase;
  if (url === undefined)
    throw new RotaError('INVALID_REQUEST', '--from-database names no URL, and SCHEDULER_DB_URI is not set');
  const cannotWrite = (error: NodeJS.ErrnoException) => {
    throw new RotaError('INVALID_REQUEST', line`--plot ${plot}: cannot be written (${error.code})`);
  };
  // What cannot be written is said before minutes of work.
  const drawing = plot === undefined ? null : await open(plot, 'w').catch(cannotWrite);
  // Their modules would cost every other command a second.
  const [{ readCatalog }, { readSnapshot }, { whatIf }, { standingOf }] = await Promise.all([
    import('../supervisor/catalog.ts'),
    import('../simulator/what-if/read-snapshot.ts'),
    import('../simulator/what-if/report.ts'),
    import('../simulator/what-if/standing.ts'),
  ]);
  const catalog = await readCatalog();
  const schedulers = catalog.actors.map(({ name }) => name);
  const wantsOois = options.limit !== undefined || options.window !== undefined;
  const snapshot = await readSnapshot(url, { days, schedulers, wantsOois }).catch((error: unknown) => {
    if (options.fromDatabase === true) throw error;
    // It says what to correct: that which was given.
    const code = codeOf(error) === 'BAD_CONFIG' ? 'INVALID_REQUEST' : codeOf(error);
    const { message, fields } = failureOf(error);
    const named = message.replaceAll('SCHEDULER_DB_URI', '--from-database');
    throw new RotaError(code, named, { ...(fields === undefined ? {} : { fields }), cause: error });
  });
  const isChanged = changes.some((name) => options[name] !== undefined);
  const changed = isChanged ? await changedStanding(snapshot, standingOf(snapshot), options) : null;
  const report = await whatIf(snapshot, changed, {
    days,
    seed,
    catalog,
    rankers: config.rankers,
    settings: {
      gracePeriodSeconds: config.SCHEDULER_PQ_GRACE_PERIOD,
      jitterSeconds: config.SCHEDULER_PQ_JITTER,
      maxSize: config.SCHEDULER_PQ_MAXSIZE,
    },
  });
  // First: a disk that is full loses the drawing alone.
  if (json) writeJson(report);
  else write(`${whatIfText(report)}\n`);
  if (drawing === null) return;
  const { plotOf } = await import('../simulator/what-if/plot.ts');
  await drawing.writeFile(plotOf(report)).catch(cannotWrite);
  await drawing.close();
}

/** Of each scheduler: all, and so many organisations. */
const shownAtMost = 20;

/** For people. */
export function whatIfText(report: WhatIfReport): string {
  const { at, days, schedulers, cut, queues, others, full_after_seconds: full } = report;
  const workedOff = ({ worked_off_seconds: off }: QueueOutcome, end: number | null) =>
    off === null ? `not in ${end === null ? `${days}d` : age(end)}` : age(off);
  const busy = queues.filter(
    ({ as_it_is: one, with_change: other }) => isOfUse(one) || (other !== null && isOfUse(other)),
  );
  const shown = Object.keys(schedulers).flatMap((name) =>
    busy.filter(({ scheduler }) => scheduler === name).slice(0, shownAtMost + 1),
  );
  const left = busy.length - shown.length + Object.values(others).reduce((sum, count) => sum + count, 0);
  const rows = shown.map(({ scheduler, organisation, as_it_is: one, with_change: other }) => {
    const cell = (read: (outcome: QueueOutcome, full: number | null) => string) => {
      const [before, after] = [read(one, full.as_it_is), other === null ? null : read(other, full.with_change)];
      return after === null || after === before ? before : `${before} → ${after}`;
    };
    return [
      scheduler,
      organisation ?? '(all)',
      String(one.now),
      cell(({ most }) => String(most)),
      cell(({ end }) => String(end)),
      cell(({ wait }) => waitText(wait.p50)),
      cell(({ wait }) => waitText(wait.p99)),
      one.now === 0 ? '-' : cell(workedOff),
    ];
  });
  return [
    `From ${at} on, ${days} ${days === 1 ? 'day' : 'days'}; nothing was changed. What is taken for granted: docs/simulation.md, "What if".`,
    ...Object.entries(schedulers).flatMap(([name, facts]) => factsText(name, facts) ?? []),
    ...cut.map((sentence) => `Left out: ${sentence}.`),
    '',
    rows.length === 0
      ? 'Nothing waits, and nothing comes.'
      : tableOf(['SCHEDULER', 'ORGANISATION', 'NOW', 'MOST', 'AT THE END', 'MEDIAN WAIT', 'P99', 'WORKED OFF'], rows),
    ...(left > 0 ? ['', `and ${left} other organisations`] : []),
  ].join('\n');
}

function isOfUse({ most, handed_out: handedOut }: QueueOutcome): boolean {
  return most > 0 || handedOut > 0;
}

/** `+`: some wait still, and it may be longer. */
function waitText(wait: Wait | null): string {
  return wait === null ? '-' : `${age(wait.seconds)}${wait.is_least ? '+' : ''}`;
}

/** Null where there is nothing to say. */
function factsText(name: string, facts: WhatIfReport['schedulers'][string]): string | null {
  const { ranker, queued, in_hand: inHand, schedules, workers, seconds_a_task: seconds, ended } = facts;
  if (queued + inHand + schedules + ended + facts.arrivals_an_hour === 0) return null;
  const { seen, with_change: used } = workers;
  const count = used === seen ? `${seen}` : `${seen} → ${used}`;
  const parts = [
    `${queued} queued`,
    `${inHand} in hand`,
    `${schedules} schedules fall due`,
    `${facts.arrivals_an_hour} tasks an hour that no schedule makes`,
    seen === 0 && used === 0 ? 'no worker was seen' : `${count} worked on at once`,
    seconds === null
      ? `none ended lately: ${assumedSeconds} s each are assumed`
      : `${seconds} s each (median of ${ended})`,
    ranker,
  ];
  return line`${name}: ${parts.join(', ')}`;
}
