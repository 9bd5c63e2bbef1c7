import { attempt, type Failure } from '../../src/mailbox/failure.ts';
import type { BoefjeRun } from '../../src/kat/kat.ts';
import type { LatestTask } from '../../src/protocol/requests.ts';
import type { Setup } from '../../src/protocol/scheduler.ts';
import { type Candidate, graceMsOf } from './candidate.ts';
import { inParallel } from './services.ts';

/** What the past says about running now, and the latest task that says so; null where there was none. */
export type History = Judgement & { readonly latest: string | null };

export type Judgement =
  | { readonly state: 'free'; readonly lastRunAt: number | null }
  | { readonly state: 'refused'; readonly reason: 'already-queued' | 'still-running' }
  /** `until`: epoch milliseconds. */
  | { readonly state: 'refused'; readonly reason: 'grace-period'; readonly until: number }
  | { readonly state: 'unanswered'; readonly failure: Failure };

/** Requests to Bytes in flight: within its client's 10 connections, two left for other lanes. */
const bytesWidth = 8;

/**
 * The history of each candidate: one request for the latest tasks of all, then Bytes for those alone of which our own
 * table cannot tell when they last ran.
 */
export async function historiesOf(setup: Setup, candidates: readonly Candidate[]): Promise<History[]> {
  if (candidates.length === 0) return [];
  const hashes = candidates.map((candidate) => candidate.hash);
  const latest = new Map(
    (await setup.supervisor('latest-tasks', { hashes: [...new Set(hashes)] })).map((task) => [task.hash, task]),
  );
  const now = setup.now();
  const judgements = new Map<Candidate, Judgement>();
  const undecided = candidates.filter((candidate) => {
    const task = latest.get(candidate.hash);
    const decided = task === undefined ? null : judgeTask(task, graceMsOf(candidate, setup.settings), now);
    if (decided !== null) judgements.set(candidate, decided);
    return decided === null;
  });
  const byOoi = Map.groupBy(undecided, ({ organisation, ooi }) => JSON.stringify([organisation, ooi]));
  const ask = async (group: readonly Candidate[]): Promise<void> => {
    const runs = await attempt(setup.kat.bytes.lastRuns(runsOf(group)));
    if (!runs.ok && runs.failure.code === 'SERVICE_REJECTED' && group.length > 1) {
      // Which of them Bytes cannot answer is not told: that one fails alone.
      for (const candidate of group) await ask([candidate]);
      return;
    }
    for (const candidate of group) {
      const judgement: Judgement = runs.ok
        ? judgeRun(runs.value.get(candidate.plugin.id) ?? null, graceMsOf(candidate, setup.settings), now)
        : { state: 'unanswered', failure: runs.failure };
      judgements.set(candidate, judgement);
    }
  };
  await inParallel([...byOoi.values()], bytesWidth, ask);
  return candidates.map((candidate) => ({
    ...judgements.get(candidate)!,
    latest: latest.get(candidate.hash)?.id ?? null,
  }));
}

/** What is asked of Bytes about the boefjes of one OOI. */
function runsOf(group: readonly Candidate[]) {
  const { organisation, ooi: inputOoi } = group[0]!;
  return { organisation, inputOoi, boefjes: [...new Set(group.map(({ plugin }) => plugin.id))] };
}

/**
 * What our own table says; null where it leaves open when the boefje last ran. A cancelled task never ran to an end, so
 * it neither blocks nor counts for the grace period (lessons §0.1): the run before it does, and Bytes knows that one. A
 * failed one counts, as in mula, or a boefje that always fails would run without a pause.
 */
export function judgeTask(task: LatestTask, graceMs: number, now: number): Judgement | null {
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

/** What Bytes says: it knows of runs that our table does not (restored, or removed by retention). */
export function judgeRun(run: BoefjeRun | null, graceMs: number, now: number): Judgement {
  if (run === null) return { state: 'free', lastRunAt: null };
  if (run.endedAt === null) return { state: 'refused', reason: 'still-running' };
  return sinceRun(run.endedAt, graceMs, now);
}

function sinceRun(endedAt: number, graceMs: number, now: number): Judgement {
  const until = endedAt + graceMs;
  return until > now ? { state: 'refused', reason: 'grace-period', until } : { state: 'free', lastRunAt: endedAt };
}
