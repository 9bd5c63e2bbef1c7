import type { Failure } from '../../src/mailbox/failure.ts';
import type { PushOutcome } from '../../src/protocol/requests.ts';
import type { Setup } from '../../src/protocol/scheduler.ts';
import type { RefusalReason } from '../../src/tasks/refusal.ts';
import { aboutOf, type Candidate, type Run, taskOf } from './candidate.ts';
import { withSiblings } from './deduplication.ts';
import { historiesOf } from './history.ts';
import type { Wait } from './recurrence.ts';
import type { Watch } from './revocation.ts';

/** The outcome of a candidate. */
type Verdict =
  | { readonly verdict: 'queued' }
  | ({ readonly verdict: 'refused'; readonly reason: RefusalReason } & Wait)
  /** Could not be decided, or not be pushed: try again where `failure.retryable`. */
  | { readonly verdict: 'failed'; readonly failure: Failure };

/**
 * From permitted candidates to queued tasks, all of a batch at once: their latest tasks, Bytes where those do not tell,
 * siblings of other organisations, one push. One verdict per candidate, in order.
 *
 * `watch` began before the candidates' permissions were asked for: what ended since is not pushed. `before` must have happened
 * before anything is pushed; it goes on beside the look at histories.
 */
export async function admit(
  setup: Setup,
  watch: Watch,
  candidates: readonly Candidate[],
  before?: Promise<unknown>,
): Promise<readonly Verdict[]> {
  const [histories] = await Promise.all([historiesOf(setup, candidates), before]);
  const runs: Run[] = [];
  const verdicts = histories.map((history, at): Verdict | null => {
    const candidate = candidates[at]!;
    switch (history.state) {
      case 'unanswered':
        return { verdict: 'failed', failure: history.failure };
      case 'refused': {
        setup.refuse(history.reason, aboutOf(candidate));
        const { reason, until, failures } = history;
        const wait = until === undefined ? {} : failures === undefined ? { until } : { until, failures };
        return { verdict: 'refused', reason, ...wait };
      }
      case 'free':
        runs.push({ candidate, lastRunAt: history.lastRunAt, follows: history.latest, deduplicationKey: null });
        return null;
      default:
        return history satisfies never;
    }
  });
  const pushed = await push(setup, watch, await withSiblings(setup, runs));
  return verdicts.map((verdict, at) => verdict ?? pushed.get(candidates[at]!.hash)!);
}

/** Pushes all at once; refusals of the push are counted where it happens. */
async function push(setup: Setup, watch: Watch, decided: readonly Run[]): Promise<ReadonlyMap<string, Verdict>> {
  const verdicts = new Map<string, Verdict>();
  const runs = decided.filter(({ candidate }) => {
    const reason = watch.refusalOf(candidate);
    if (reason === null) return true;
    setup.refuse(reason, aboutOf(candidate));
    verdicts.set(candidate.hash, { verdict: 'refused', reason });
    return false;
  });
  if (runs.length === 0) return verdicts;
  const outcomes = await watch.revocations.pushing(setup.supervisor('push-tasks', { tasks: runs.map(taskOf) }));
  for (const [at, { candidate }] of runs.entries()) verdicts.set(candidate.hash, verdictOf(outcomes[at]!));
  return verdicts;
}

/** A full queue and a broken ranker say nothing about the candidate: it is tried again, not given up. */
function verdictOf(outcome: PushOutcome): Verdict {
  if (outcome.outcome === 'queued') return { verdict: 'queued' };
  if (outcome.outcome === 'failed') return { verdict: 'failed', failure: outcome.failure };
  const { reason } = outcome;
  if (reason === 'queue-full') return failed('QUEUE_FULL', 'the queue is full');
  if (reason === 'rank-failed') return failed('RANK_FAILED', outcome.detail ?? 'the ranker failed');
  return { verdict: 'refused', reason };
}

function failed(code: string, message: string): Verdict {
  return { verdict: 'failed', failure: { code, message, retryable: true } };
}
