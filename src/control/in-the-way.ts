import type { ExplanationStep } from '../protocol/commands.ts';
import type { ExplanationView, TaskView } from '../protocol/operator-lists.ts';
import type { QueueInspection } from '../queue/lists/inspection.ts';
import type { Pauses } from '../queue/maintenance/pauses.ts';
import type { TaskRanking } from '../queue/push/rank.ts';

/** What stands between a decision to make a task and its worker. */

export interface PushPorts {
  readonly inspection: Pick<QueueInspection, 'overview'>;
  readonly ranking: TaskRanking;
  /** SCHEDULER_PQ_MAXSIZE; 0 is unlimited. */
  readonly maxSize: number;
}

export interface WayPorts {
  readonly pauses: Pick<Pauses, 'list'>;
  /** The database's time, in epoch milliseconds. */
  readonly now: () => number;
}

/** What the push may refuse after the actor has decided for a task: room in the queue, and its ranker. */
export async function pushSteps(
  { inspection, ranking, maxSize }: PushPorts,
  scheduler: string,
  organisation: string,
): Promise<readonly ExplanationStep[]> {
  const [[overview], answer] = await Promise.all([
    inspection.overview([scheduler]),
    ranking.rank(scheduler, [{ organisation, lastRunAt: null, occurredAt: null, manual: false }]),
  ]);
  const queued = overview?.queued ?? 0;
  const full = maxSize > 0 && queued >= maxSize;
  const bound = maxSize === 0 ? 'there is no bound' : `${maxSize} may be, but for a person's`;
  return [
    {
      rule: 'room',
      outcome: full ? 'refuses' : 'passes',
      reason: full ? 'queue-full' : null,
      fact: `${queued} tasks are queued; ${bound}`,
    },
    'failure' in answer
      ? { rule: 'rank', outcome: 'refuses', reason: 'rank-failed', fact: answer.failure.message }
      : { rule: 'rank', outcome: 'passes', reason: null, fact: 'its ranker answers' },
  ];
}

/** What keeps a queued task, or would keep this one, from its worker. */
export async function waysOf(
  { pauses, now }: WayPorts,
  {
    scheduler,
    organisation,
    plugin,
  }: { readonly scheduler: string; readonly organisation: string; readonly plugin: string | null },
  task: TaskView | null,
): Promise<ExplanationView['in_the_way']> {
  const ways: ExplanationView['in_the_way'][number][] = (await pauses.list())
    .filter(
      (pause) =>
        pause.scheduler === scheduler &&
        (pause.organisation ?? organisation) === organisation &&
        (pause.plugin ?? plugin) === plugin,
    )
    .map(({ organisation, plugin, pausedBy, note, since }) => {
      const paused = [scheduler, organisation ?? 'every organisation', plugin ?? 'every boefje'].join(', ');
      const fact = `${paused}: paused since ${since} by ${pausedBy ?? 'an unknown operator'}${note === null ? '' : `: ${note}`}`;
      return { what: 'pause', fact, since, by: pausedBy, note, organisation, boefje: plugin };
    });
  const { queue = null, lease = null } = task ?? {};
  if (queue !== null && !queue.held && queue.ahead! > 0) {
    const least = queue.ahead_is_least ? 'at least ' : '';
    ways.push({ what: 'queue', fact: `${least}${queue.ahead} queued tasks go before it` });
  }
  if (lease !== null) ways.push(leaseWay(lease, now()));
  return ways;
}

/** A lease that has ended keeps its task until the next sweep, which gives it back. */
function leaseWay(
  { worker, via, until }: NonNullable<TaskView['lease']>,
  now: number,
): ExplanationView['in_the_way'][number] {
  const name = worker ?? 'an unnamed worker';
  const held = { by: worker, until };
  if (Date.parse(until) > now) return { ...held, what: 'worker', fact: `${name} has it over ${via} until ${until}` };
  return {
    ...held,
    what: 'lease',
    fact: `${name} had it over ${via}; its lease ended ${until}, and it goes back to the queue`,
  };
}
