import { statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { sentenceOf, type UnreadVariable } from '../config/unread-variables.ts';
import { within } from '../deadline.ts';
import type { Backlog, StreamBacklog } from '../events/backlog.ts';
import { failureOf } from '../mailbox/failure.ts';
import type { Finding } from '../protocol/operator-status.ts';
import type { DatabaseDiagnosis, UnreadableCron } from '../queue/schema/diagnosis.ts';
import type { Supervision } from '../supervisor/supervision.ts';
import { aged, command, type SomeCommands } from './operator-command.ts';
import { recent } from './recent.ts';
import { actorView } from './supervisor.ts';
import { sentenceOf as troubleOf, troublesOfActor, troublesOfSource } from './troubles.ts';

export interface DoctorPorts {
  readonly instance: string;
  readonly version: string;
  readonly supervision: Pick<Supervision, 'status' | 'inspect'>;
  readonly diagnoseDatabase: () => Promise<DatabaseDiagnosis>;
  /** Of the connected nats-server; null without a connection. */
  readonly natsVersion: () => string | null;
  /** Null where no event source is configured. */
  readonly backlog: Pick<Backlog, 'look'> | null;
  /** Environment variables that look like ours and are none. */
  readonly unread: readonly UnreadVariable[];
}

/** Everything due is decided by the database's clock. One of the two clocks is wrong, possibly that one. */
const mostSkewMs = 15_000;
/** Vacuum cannot clean behind an open transaction: the queue's index keeps every popped row. */
const oldTransactionSeconds = 600;
/** Operators look during outages: the rest of the answer must not wait for the database; less than a page waits for all of it. */
const databaseWithinMs = 2_000;
const leastFreeBytes = 1_073_741_824;

/** `doctor`: this supervisor's findings about itself and what it depends on. */
export function doctorCommands(ports: DoctorPorts) {
  const examined = recent(async () => {
    // At once: in an outage each takes all the time that it has.
    const [database, actors, backlogs, disk] = await Promise.all([
      databaseFindings(ports),
      actorFindings(ports),
      ports.backlog?.look() ?? [],
      diskFinding(),
    ]);
    return {
      instance: ports.instance,
      version: ports.version,
      node: process.version,
      findings: [
        ...unreadFindings(ports.unread),
        ...database,
        natsFinding(ports.natsVersion()),
        ...actors,
        ...sourceFindings(backlogs),
        disk,
      ],
    };
  });
  return {
    doctor: command('read', aged, async ({ max_age_seconds: seconds }) => examined(seconds * 1_000)),
  } satisfies SomeCommands;
}

/** Exported for `rota doctor`, which checks the environment of its shell. */
export function unreadFindings(unread: readonly UnreadVariable[]): readonly Finding[] {
  const advice = 'correct the name, or leave it out: docs/configuration.md lists every variable';
  return unread.map((variable) => ({
    level: 'warning',
    about: 'configuration',
    finding: sentenceOf(variable),
    advice,
  }));
}

/** The first version that pings a busy connection: an older one notices a dead link only when it is idle. */
const pingsUnderTraffic = [2, 11] as const;

/** Exported for its tests. */
export function natsFinding(version: string | null): Finding {
  if (version === null) return problem('nats', 'not connected: no pop over NATS is answered', 'is it up? see NATS_URL');
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [least, leastMinor] = pingsUnderTraffic;
  if (major > least || (major === least && minor >= leastMinor)) return fine('nats', `nats-server ${version}`);
  return warning(
    'nats',
    `nats-server ${version} does not notice a dead link while it sends on it: requests get lost meanwhile`,
    'use nats-server 2.11 or newer, with docs/deploy/nats-server.conf',
  );
}

async function databaseFindings(ports: DoctorPorts): Promise<readonly Finding[]> {
  const late = `it does not answer within ${databaseWithinMs / 1_000} s`;
  try {
    return findingsOf(await within(ports.diagnoseDatabase(), databaseWithinMs, 'DATABASE_UNAVAILABLE', late));
  } catch (error) {
    const advice =
      'is Postgres up, reachable from the supervisor, and can it be written? schema, clock and indexes are unknown';
    return [problem('database', failureOf(error).message, advice)];
  }
}

/** Exported for its tests: most of these states are hard to bring about. */
export function findingsOf(it: DatabaseDiagnosis): readonly Finding[] {
  const megabytes = Math.round(it.sizeBytes / 1_048_576);
  const findings: (Finding | false)[] = [
    fine('database', `Postgres ${it.version}, ${megabytes} MB, answers in ${it.roundTripMs} ms`),
    it.missingMigrations.length > 0
      ? problem('schema', `not applied: ${it.missingMigrations.join(', ')}`, 'run rota migrate')
      : fine('schema', 'every migration is applied'),
    it.unknownMigrations.length > 0 &&
      problem('schema', `unknown: ${it.unknownMigrations.join(', ')}`, 'a newer Rota migrated it: use that version'),
    Math.abs(it.clockSkewMs) > mostSkewMs
      ? problem('clock', `the database's clock is ${it.clockSkewMs} ms off this machine's`, 'let both use NTP')
      : fine('clock', `the database's clock is within ${Math.abs(it.clockSkewMs)} ms`),
    it.invalidIndexes.length > 0
      ? problem('indexes', `invalid: ${it.invalidIndexes.join(', ')}`, 'REINDEX INDEX CONCURRENTLY each of them')
      : fine('indexes', 'all are valid'),
    it.coldIndexes.length > 0 &&
      problem(
        'indexes',
        `on tasks, over what changes with each status: ${it.coldIndexes.join(', ')}`,
        'DROP INDEX CONCURRENTLY: claims and patches pay for it several times',
      ),
    (it.oldestTransactionSeconds ?? 0) > oldTransactionSeconds &&
      warning(
        'transactions',
        `one is open for ${Math.round(it.oldestTransactionSeconds!)} s`,
        'end it (pg_stat_activity, xact_start): vacuum cannot clean behind it',
      ),
    it.connections > 0.8 * it.maxConnections &&
      warning(
        'connections',
        `${it.connections} of ${it.maxConnections} are taken`,
        'raise max_connections, or lower SCHEDULER_DB_CONNECTION_POOL_SIZE',
      ),
    it.unreadableCrons.length > 0 &&
      warning(
        'crons',
        unreadable(it.unreadableCrons),
        "mend the cron of the boefje in Katalogus (docs/crons.md); where it is the schedule's own: rota schedules set-cron",
      ),
  ];
  return findings.filter((finding) => finding !== false);
}

const mostNamed = 3;

/** `12 schedules wait for a cron that can run: dns 'R 0 * * *' (9), nmap '1W * * * *' (3)`. */
function unreadable(crons: readonly UnreadableCron[]): string {
  const schedules = crons.reduce((sum, it) => sum + it.schedules, 0);
  const named = crons
    .slice(0, mostNamed)
    .map(({ boefje, cron, schedules: of }) => `${boefje}${cron === null ? '' : ` '${cron}'`} (${of})`);
  const more = crons.length > mostNamed ? [`${crons.length - mostNamed} more`] : [];
  const subject = schedules === 1 ? '1 schedule waits' : `${schedules} schedules wait`;
  return `${subject} for a cron that can run: ${[...named, ...more].join(', ')}`;
}

async function actorFindings({ supervision }: DoctorPorts): Promise<readonly Finding[]> {
  const findings = supervision.status().map(async (status): Promise<readonly Finding[]> => {
    const actor = actorView(status, await supervision.inspect(status.name));
    const about = `actor ${actor.name}`;
    const troubles = troublesOfActor(actor).map((it) => {
      const says = it.about === about ? troubleOf([it]) : `${it.about}: ${troubleOf([{ ...it, of: null }])}`;
      return { level: it.level, about, finding: says, advice: it.advice };
    });
    if (troubles.length > 0) return troubles;
    if (actor.phase !== 'running') return [fine(about, actor.phase)];
    return [fine(about, actor.thread?.services.length === 0 ? 'idles: no service is set' : 'runs')];
  });
  return (await Promise.all(findings)).flat();
}

/** Exported for its tests. A backlog is no finding: how much is normal depends on the installation. */
export function sourceFindings(backlogs: readonly StreamBacklog[]): readonly Finding[] {
  return backlogs.flatMap((it) => {
    const troubles = troublesOfSource(it);
    if (troubles.length === 0) return [fine('events', `${it.source}: ${it.waiting ?? 0} wait`)];
    return troubles.map((trouble) => {
      const { level, about, advice } = trouble;
      return { level, about: 'events', finding: `${about}: ${troubleOf([trouble])}`, advice };
    });
  });
}

async function diskFinding(): Promise<Finding> {
  const { bavail, bsize } = await statfs(tmpdir());
  const free = bavail * bsize;
  const text = `${Math.round(free / 1_048_576)} MB are free in ${tmpdir()}`;
  return free < leastFreeBytes ? warning('disk', text, 'make room') : fine('disk', text);
}

const fine = (about: string, finding: string): Finding => ({ level: 'fine', about, finding, advice: null });
const warning = (about: string, finding: string, advice: string): Finding => ({
  level: 'warning',
  about,
  finding,
  advice,
});
const problem = (about: string, finding: string, advice: string): Finding => ({
  level: 'problem',
  about,
  finding,
  advice,
});
