import type { PauseView } from '../../protocol/operator.ts';
import type { ExplanationView } from '../../protocol/operator-lists.ts';
import type { SchedulerView } from '../../protocol/operator-status.ts';
import { overviewOf } from '../../control/overview.ts';
import { startSentence } from '../../control/verdict.ts';
import { within } from '../../deadline.ts';
import { each, foreign, type Html, html } from '../html.ts';
import type { PageRequest } from '../page.ts';
import { figure, state, tableOf, timeOf } from '../pieces.ts';
import type { Asked } from '../actions/why.ts';

/** The four gates of `/why`, in the order in which a task passes them: decided, queued, allowed, asked for. */

/** Beside the explanation, from memory or a few indexed rows. */
export const besideMs = 2_000;
/** Of the figures of workers that ask. */
const maxAgeSeconds = 5;

/** What is known beside an explanation, even where that does not come; null: not even this. */
export interface Beside {
  readonly pauses: readonly PauseView[] | null;
  readonly schedulers: readonly SchedulerView[] | null;
}

export async function besides({ operators }: PageRequest): Promise<Beside> {
  const soon = <T>(work: Promise<T>) => within(work, besideMs, 'ASK_TIMEOUT').catch(() => null);
  const [pauses, overview] = await Promise.all([
    soon(operators.ask('pauses', {})),
    soon(operators.instances().then((instances) => overviewOf(operators, instances, maxAgeSeconds))),
  ]);
  return { pauses: pauses?.results ?? null, schedulers: overview?.schedulers ?? null };
}

const outcomes = {
  passes: state('good', 'yes'),
  refuses: state('bad', 'no'),
  unanswered: state('warn', 'no answer'),
  skipped: state('idle', 'not asked'),
} as const;

export function gatesOf(explained: ExplanationView, known: Beside, now: number): Html {
  const { steps, scheduler, trigger } = explained;
  const decided = tableOf(
    trigger === 'schedule' ? 'As if its schedule were due now' : 'As if an event about it came now',
    ['Rule', 'Passes', 'By what'],
    steps.map(({ rule, outcome, fact, reason }) => [
      html`<span class="whole">${rule}</span>`,
      // That it is there already is no fault of it.
      reason === 'already-queued' || reason === 'still-running' ? state('idle', 'no') : outcomes[outcome],
      html`${foreign(fact)} ${reason !== null && html`<code class="whole">${reason}</code>`}`,
    ]),
    { none: 'Its scheduler applies no rule.' },
  );
  const pauses = explained.in_the_way.filter(({ what }) => what === 'pause');
  return gates(
    decided,
    queuedGate(explained, now),
    pauses.length === 0
      ? html`${state('good', 'No pause')} is in its way.`
      : html`${each(
          pauses,
          ({ organisation, boefje, by, since, note }) =>
            html`<p>
              ${state('warn', 'Paused')} ${scheduler}, ${foreign(organisation ?? 'every organisation')},
              ${foreign(boefje ?? 'every boefje')}, by ${foreign(by ?? 'an unknown operator')}
              ${timeOf(since ?? null, now)}${note != null && html`<br />“${foreign(note)}”`}
            </p>`,
        )}`,
    askedGate(explained, known, now),
  );
}

/** In the order in which a task passes them. */
function gates(decided: Html, ...others: readonly Html[]): Html {
  const titles = ['2 Queued', '3 Allowed', '4 Asked for'];
  return html`<h2>1 Decided</h2>
    ${decided}
    <div class="gates">
      ${each(
        others,
        (content, at) =>
          html`<div>
            <h2>${titles[at]}</h2>
            ${content}
          </div>`,
      )}
    </div>`;
}

function queuedGate({ task, start, in_the_way: ways }: ExplanationView, now: number): Html {
  if (task === null) return html`${state('idle', 'No task')} of it is known, neither queued nor finished.`;
  const since = task.status === 'queued' ? 'since' : 'last changed';
  const others = ways.filter(({ what }) => what !== 'pause');
  return html`<p>
      Its latest task is <a href="/tasks/${task.id}">${task.status}</a>, ${since}
      ${timeOf(task.modified_at, now)}${
        task.reason !== null && html` (${foreign(task.reason)})`
      }${task.attempts > 1 && html`, in attempt ${task.attempts}`}.
    </p>
    ${each(others, ({ fact }) => html`<p>${foreign(fact)}.</p>`)}
    ${start !== null && html`<p>${foreign(startSentence(start, now))}</p>`}`;
}

function askedGate({ scheduler, start }: ExplanationView, { schedulers }: Beside, now: number): Html {
  const of = schedulers?.find(({ id }) => id === scheduler);
  const image =
    start === null || start.unknown === 'held' || start.unknown === 'not-queued'
      ? null
      : html`<p>
          ${start.image === null ? 'A pop that may get it' : html`A pop for image ${foreign(start.image)}, or for any,`}
          was last admitted ${start.asked_at === null ? 'more than a week ago, or never' : timeOf(start.asked_at, now)}.
        </p>`;
  return html`${image} ${schedulerAsked(scheduler, of, now)}
    <p class="soft">Pops that were refused do not count.</p>`;
}

function schedulerAsked(scheduler: string, of: SchedulerView | undefined, now: number): Html {
  if (of === undefined) return html`<p>${state('warn', 'Not known')}: no supervisor told in time who asks.</p>`;
  const { waiters, asked_at: at } = of;
  if (waiters === 0 && at === null)
    return html`<p>
      ${state('warn', 'By nobody known')}: no pop for ${foreign(scheduler)} tasks was admitted within a week.
    </p>`;
  return html`<p>
    ${waiters > 0 ? html`${state('good', 'Asked for')}: ${figure(waiters)} pops wait for` : html`No pop waits now for`}
    ${foreign(scheduler)} tasks; the last was admitted ${timeOf(at, now)}.
  </p>`;
}

/** Of a question about a pair; of others nothing is known without the database. */
export function knownGates({ organisation, boefje }: Asked, known: Beside, now: number): Html {
  const decided = html`<p class="empty">The actor’s decision is not known.</p>`;
  const scheduler = 'boefje';
  const pauses = (known.pauses ?? []).filter(
    (pause) =>
      pause.scheduler === scheduler &&
      (pause.organisation ?? organisation) === organisation &&
      (pause.boefje ?? boefje) === boefje,
  );
  const allowed =
    known.pauses === null
      ? html`${state('warn', 'Not known')}`
      : pauses.length === 0
        ? html`${state('good', 'No pause')} is in its way.`
        : html`${state('warn', 'Paused')} by ${foreign(pauses[0]!.paused_by)}`;
  const of = known.schedulers?.find(({ id }) => id === scheduler);
  return gates(decided, html`${state('warn', 'Not known')}`, allowed, schedulerAsked(scheduler, of, now));
}
