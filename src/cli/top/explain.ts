import { type Flow, flowOf, isPaused } from '../../control/flow.ts';
import type { OperatorClient } from '../../control/overview.ts';
import type { PartView } from '../../control/parts.ts';
import { age, ageOf, moment, pauseName, rateOf, subjectOf, whenOf } from '../../control/wording.ts';
import type { SchedulerView } from '../../protocol/operator-status.ts';
import type { PauseView } from '../../protocol/operator.ts';
import type { QueuePart } from '../../tasks/task.ts';
import { pausesOf } from './rows.ts';

export interface Detail {
  readonly title: string;
  readonly lines: readonly string[];
}

const verdicts = {
  flows: 'It flows: tasks are handed out.',
  idle: 'It is idle: nothing is queued.',
  'falls behind': 'It falls behind',
  stands: 'It stands',
  held: 'It is held',
  unknown: 'It cannot be told',
} as const satisfies Record<Flow['word'], string>;

function verdictOn(scheduler: SchedulerView, pauses: readonly PauseView[]): string {
  const paused = isPaused(scheduler, pauses);
  const { word, why } = flowOf(scheduler, paused);
  const until = paused ? ' Nothing of it is handed out until rota resume.' : '';
  return `${verdicts[word]}${why === null ? '' : `: ${why}.`}${until}`;
}

/** Verdict first. */
export function explainScheduler(it: SchedulerView, pauses: readonly PauseView[]): Detail {
  const own = pauses.filter(({ scheduler }) => scheduler === it.id);
  const asked =
    it.waiters > 0
      ? `${it.waiters} pops wait for work`
      : it.asked_at === null
        ? 'no pop has asked within a week: does a worker run?'
        : `a pop last asked ${whenOf(it.asked_at)}`;
  return {
    title: `scheduler ${it.id}`,
    lines: [
      verdictOn(it, pauses),
      '',
      `asked   ${asked}`,
      `rate    ${it.per_second === null ? 'none handed out in the last minutes' : rateOf(it.per_second)}`,
      `empty   ${it.estimated_empty_at === null ? 'cannot be told' : whenOf(it.estimated_empty_at)}`,
      `leased  ${it.leased ?? '-'} tasks are at workers`,
      `oldest  ${age(it.oldest_seconds)}`,
      `late    ${it.schedule_lag_seconds === null ? '-' : age(it.schedule_lag_seconds)} (schedules)`,
      ...pauseLines(own),
    ],
  };
}

const firstTasks = 5;

/** Why it waits: pauses, weight, the tasks that were made last. */
export async function explainPart(
  client: Pick<OperatorClient, 'ask'>,
  by: QueuePart,
  part: PartView,
  pauses: readonly PauseView[],
): Promise<Detail> {
  const { scheduler, name, queued, held } = part;
  const own = pausesOf({ scheduler, name, by }, pauses);
  const title = `${by} ${name} in ${scheduler}`;
  const lines = [verdictOf(part, own), '', ...pauseLines(own)];
  // No list is by image.
  if (by === 'image') return { title, lines };
  const of = by === 'organisation' ? { organisation: name } : { plugin: name };
  const [tasks, weights] = await Promise.all([
    queued === 0 ? null : client.ask('tasks', { scheduler, ...of, status: 'queued', limit: firstTasks }),
    by === 'organisation' ? client.ask('weights', { limit: mostWeights }) : null,
  ]);
  const weight = weights?.results.find((it) => it.scheduler === scheduler && it.organisation === name);
  const known = weights !== null && (weight !== undefined || weights.count <= mostWeights);
  return {
    title,
    lines: [
      ...lines,
      ...(known ? [`weight  ${weight?.weight ?? 1}, compared with 1 of others`] : []),
      `held    ${part.held_is_least ? `${held}+` : held} of ${part.queued_is_least ? `${queued}+` : queued}`,
      ...(tasks === null ? [] : ['', `NEWEST OF ITS QUEUED TASKS`]),
      ...(tasks?.results ?? []).map((task) => {
        const { plugin, ooi } = subjectOf(task.data);
        const what = by === 'organisation' ? plugin : task.organisation;
        return `${task.id}  ${ageOf(task.created_at)}  ${[what, ooi].filter(Boolean).join('  ')}`;
      }),
    ],
  };
}

/** Organisations with a weight of their own are few. */
const mostWeights = 200;

function verdictOf({ queued, held, per_second: rate, failed }: PartView, pauses: readonly PauseView[]): string {
  if (pauses.length > 0) return 'It waits: it is paused.';
  if (queued === 0) return (failed ?? 0) > 0 ? 'Nothing of it waits; some of it failed.' : 'Nothing of it waits.';
  if (held >= queued) return 'It waits: pauses hold all of it.';
  if ((rate ?? 0) > 0) return `It flows, at ${rateOf(rate!)}: the rest waits for its turn.`;
  return 'It waits: nothing of it was handed out in the last minutes.';
}

function pauseLines(pauses: readonly PauseView[]): readonly string[] {
  return pauses.map((pause) => {
    const { paused_by: by, since, note } = pause;
    const why = note === null || note === '' ? '' : ` "${note}"`;
    return `paused  ${pauseName(pause)} by ${by ?? 'unknown'} since ${moment(since)}${why}`;
  });
}
