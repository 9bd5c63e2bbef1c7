import { attempt, type Failure } from '../../src/mailbox/failure.ts';
import type { BoefjeRun, Plugin } from '../../src/kat/kat.ts';
import type { FailureStreak, LatestTask } from '../../src/protocol/requests.ts';
import type { Setup } from '../../src/protocol/scheduler.ts';
import type { Recorder } from '../../src/tasks/refusal.ts';
import { type Candidate, graceMsOf } from './candidate.ts';
import { grownPeriodMs, iso, type Wait } from './recurrence.ts';
import { inParallel } from './services.ts';

/** What the past says about running now, and the latest task that says so; null where there was none. */
export type History = Judgement & { readonly latest: string | null };

type Judgement =
  | { readonly state: 'free'; readonly lastRunAt: number | null }
  | Refusal
  | { readonly state: 'unanswered'; readonly failure: Failure };

type Refusal = Wait & {
  readonly state: 'refused';
  readonly reason: 'already-queued' | 'still-running' | 'grace-period' | 'failing';
};

/** What the failures of a pair say: `failing` is null where they let it run. */
interface Streak {
  readonly failing: Refusal | null;
  readonly fact: string;
}

/** Requests to Bytes in flight: within its client's 10 connections, two left for other lanes. */
const bytesWidth = 8;

/**
 * The history of each candidate: one request for the latest tasks of all, then Bytes for those alone of which our own
 * table cannot tell when they last ran.
 */
export async function historiesOf(
  setup: Setup,
  candidates: readonly Candidate[],
  record: Recorder | null = null,
): Promise<History[]> {
  if (candidates.length === 0) return [];
  const hashes = candidates.map((candidate) => candidate.hash);
  const latest = new Map(
    (await setup.supervisor('latest-tasks', { hashes: [...new Set(hashes)] })).map((task) => [task.hash, task]),
  );
  const now = setup.now();
  const streaks = await streaksOf(setup, candidates, latest, now, record);
  const judgements = new Map<Candidate, Judgement>();
  const undecided = candidates.filter((candidate) => {
    const graceMs = graceMsOf(candidate, setup.settings);
    const streak = streaks.get(candidate) ?? null;
    const decided = decideTask(latest.get(candidate.hash), { graceMs, now }, streak, record);
    if (decided === null) return true;
    record?.('last run', null, 'the latest task tells', 'skipped');
    judgements.set(candidate, decided);
    return false;
  });
  const byOoi = Map.groupBy(undecided, ({ organisation, ooi }) => JSON.stringify([organisation, ooi]));
  const ask = async (group: readonly Candidate[]): Promise<void> => {
    const runs = await attempt(setup.kat.bytes.lastRuns(runsOf(group)));
    if (!runs.ok && runs.failure.code === 'SERVICE_REJECTED' && group.length > 1) {
      // Bytes does not say about which of them: asked one by one, only that one fails.
      for (const candidate of group) await ask([candidate]);
      return;
    }
    for (const candidate of group) {
      const run = runs.ok ? (runs.value.get(candidate.plugin.id) ?? null) : null;
      const judgement: Judgement = runs.ok
        ? judgeRun(run, graceMsOf(candidate, setup.settings), now)
        : { state: 'unanswered', failure: runs.failure };
      if (record !== null) recordJudgement(record, 'last run', judgement, factOfRun(run));
      judgements.set(candidate, judgement);
    }
  };
  await inParallel([...byOoi.values()], bytesWidth, ask);
  return candidates.map((candidate) => ({
    ...judgements.get(candidate)!,
    latest: latest.get(candidate.hash)?.id ?? null,
  }));
}

/** The request to Bytes about the boefjes of one OOI. */
function runsOf(group: readonly Candidate[]) {
  const { organisation, ooi: inputOoi } = group[0]!;
  return { organisation, inputOoi, boefjes: [...new Set(group.map(({ plugin }) => plugin.id))] };
}

/**
 * The failures of the candidates that they may delay: those by a period, whose latest task failed, or was cancelled, which says
 * nothing of those before it. One request for all, and none where all completed. A recorder hears of those of any candidate.
 */
async function streaksOf(
  setup: Setup,
  candidates: readonly Candidate[],
  latest: ReadonlyMap<string, LatestTask>,
  now: number,
  record: Recorder | null,
): Promise<ReadonlyMap<Candidate, Streak>> {
  const asked = candidates.filter(({ hash, pace }) => {
    const status = latest.get(hash)?.status ?? 'completed';
    return record === null
      ? typeof pace === 'number' && (status === 'failed' || status === 'cancelled')
      : status !== 'completed';
  });
  if (asked.length === 0) return new Map();
  const hashes = [...new Set(asked.map(({ hash }) => hash))];
  const found = new Map((await setup.supervisor('failure-streaks', { hashes })).map((it) => [it.hash, it]));
  return new Map(
    asked.flatMap((candidate) => {
      const streak = found.get(candidate.hash);
      return streak === undefined ? [] : [[candidate, judgeStreak(candidate, streak, now)] as const];
    }),
  );
}

function judgeStreak({ plugin, pace }: Candidate, streak: FailureStreak, now: number): Streak {
  const { failures, bounded, firstAt, lastAt } = streak;
  const failed =
    failures === 1 && !bounded
      ? `failed once, ${iso(lastAt)}`
      : `failed ${failures}${bounded ? ' or more' : ''} times in a row since ${iso(firstAt)}`;
  const runs = (why: string): Streak => ({ failing: null, fact: `${failed}${why}` });
  const change = changeSince(streak, plugin);
  if (change !== null) return runs(`, ${change}`);
  if (pace === undefined) return runs('; an event is a reason to try again');
  if (pace === 'cron') return runs('; a cron keeps its times');
  if (pace === 'asked') return runs('; this run was asked for, or the schedule enabled again');
  if (failures === 1) return runs('; its period does not grow yet');
  const grown = grownPeriodMs(pace, failures);
  if (grown === pace) return runs(`; its period of ${inWords(pace)} does not grow`);
  const until = lastAt + grown;
  const fact = `${failed}; its period of ${inWords(pace)} became ${inWords(grown)}, until ${iso(until)}`;
  return { failing: until > now ? { state: 'refused', reason: 'failing', until, failures } : null, fact };
}

/** How the boefje is another one than that which failed; null where it is not, or that is not known. Settings never are. */
function changeSince({ version, image }: FailureStreak, plugin: Plugin): string | null {
  const parts = [
    ['version', version, plugin.version],
    ['image', image, plugin.ociImage],
  ] as const;
  for (const [part, then, now] of parts)
    if (then !== null && now !== null && then !== now) return `as ${part} ${then}; it is ${part} ${now} now`;
  return null;
}

const units = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
] as const;

function inWords(milliseconds: number): string {
  const [unit, length] = units.find(([, it]) => milliseconds % it === 0) ?? ['second', 1_000];
  const count = milliseconds / length;
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}

/** What our own table says; null where it leaves open when the boefje last ran. A streak says more than the grace period. */
export function decideTask(
  task: LatestTask | undefined,
  { graceMs, now }: { readonly graceMs: number; readonly now: number },
  streak: Streak | null,
  record: Recorder | null,
): Judgement | null {
  const judgement = task === undefined ? null : judgeTask(task, graceMs, now);
  const goesOn = judgement?.state === 'refused' && judgement.reason !== 'grace-period';
  const failing = goesOn ? null : (streak?.failing ?? null);
  if (record !== null) recordJudgement(record, 'latest task', failing === null ? judgement : null, factOfTask(task));
  if (streak !== null) record?.('failures', failing?.reason ?? null, streak.fact);
  return failing ?? judgement;
}

/**
 * A cancelled task never ran to an end, so it neither blocks nor counts for the grace period (lessons §0.1): the run before it
 * does, and Bytes knows that one. A failed one counts, as in mula, or a boefje that always fails would run without a pause.
 */
function judgeTask(task: LatestTask, graceMs: number, now: number): Judgement | null {
  switch (task.status) {
    case 'queued':
      return { state: 'refused', reason: 'already-queued' };
    case 'pending':
    case 'dispatched':
    case 'running':
      return { state: 'refused', reason: 'still-running' };
    case 'cancelled':
      return null;
    case 'completed':
    case 'failed':
      return sinceRun(task.modifiedAt, graceMs, now);
    default:
      return task.status satisfies never;
  }
}

/** What Bytes says: it has runs that our table does not (restored, or removed by retention). */
function judgeRun(run: BoefjeRun | null, graceMs: number, now: number): Judgement {
  if (run === null) return { state: 'free', lastRunAt: null };
  if (run.endedAt === null) return { state: 'refused', reason: 'still-running' };
  return sinceRun(run.endedAt, graceMs, now);
}

function sinceRun(endedAt: number, graceMs: number, now: number): Judgement {
  const until = endedAt + graceMs;
  return until > now ? { state: 'refused', reason: 'grace-period', until } : { state: 'free', lastRunAt: endedAt };
}

function recordJudgement(record: Recorder, rule: string, judgement: Judgement | null, fact: string): void {
  if (judgement === null || judgement.state === 'free') record(rule, null, fact);
  else if (judgement.state === 'unanswered') record(rule, null, judgement.failure.message, 'unanswered');
  else {
    const until = judgement.until === undefined ? '' : `; the grace period ends ${iso(judgement.until)}`;
    record(rule, judgement.reason, `${fact}${until}`);
  }
}

function factOfTask(task: LatestTask | undefined): string {
  if (task === undefined) return 'there is no task yet';
  return `task ${task.id} is ${task.status} since ${iso(task.modifiedAt)}`;
}

function factOfRun(run: BoefjeRun | null): string {
  if (run === null) return 'Bytes knows of no run';
  return `the last run that Bytes knows ${run.endedAt === null ? 'goes on' : `ended ${iso(run.endedAt)}`}`;
}
