import { age, errorText, moment } from '../../control/wording.ts';
import type { TaskView } from '../../protocol/operator-lists.ts';
import { isFinished } from '../../tasks/task.ts';
import { each, foreign, type Html, html, type Value } from '../html.ts';
import { tableOf, timeOf } from '../pieces.ts';
import { statusOf } from '../task-rows.ts';

/** From when it was made to its end, with what lies between. */
export function times(shown: TaskView, now: number): Html {
  const { created_at: made, attempts_before: before, claimed_at: claimed, started_at: began, ended_at: ended } = shown;
  const first = before.length < 10 ? (before[0]?.claimed_at ?? claimed) : null;
  const points: readonly (readonly [string, string | null, string])[] = [
    ['made', made, ''],
    ['first handed out', first, 'waited'],
    ['handed out again', before.length > 0 && claimed !== first ? claimed : null, 'was lost or waited'],
    ['began', began, 'until it began'],
    ['ended', isFinished(shown.status) ? (ended ?? shown.modified_at) : null, began === null ? 'after' : 'ran'],
  ];
  const known = points.flatMap(([label, at, gap]) => (at === null ? [] : [{ label, at, gap }]));
  return html`<ol class="timeline">
    ${each(known, ({ label, at, gap }, index) => {
      const since = index === 0 ? null : (Date.parse(at) - Date.parse(known[index - 1]!.at)) / 1_000;
      return html`<li>
        ${since !== null && html`<span class="gap">${gap} ${age(since)}</span>`}
        <strong>${label}</strong> <span title="${moment(at)}">${moment(at).slice(11, 19)}</span>
        ${(index === 0 || index === known.length - 1) && html`<span class="soft">${timeOf(at, now)}</span>`}
      </li>`;
    })}
  </ol>`;
}

/** Each time that a worker had it. */
export function attempts(shown: TaskView, now: number): Html {
  const { attempts_before: before, worker, claimed_at, started_at, ended_at, lease, status } = shown;
  const none = html`<span class="none">–</span>`;
  const row = (number: Value, at: Attempt, how: Html) => [
    number,
    at.worker === null ? none : foreign(at.worker),
    timeOf(at.claimed_at, now),
    timeOf(at.started_at, now),
    timeOf(at.ended_at, now),
    at.started_at === null || at.ended_at === null
      ? none
      : age((Date.parse(at.ended_at) - Date.parse(at.started_at)) / 1_000),
    html`<div class="wide">${how}</div>`,
  ];
  const rows = before.map((one, index) => {
    const error = one.error === undefined ? null : errorText(one.error);
    const at = { worker: one.worker ?? null, claimed_at: one.claimed_at ?? null, started_at: one.started_at ?? null };
    const how = html`${outcomes[one.outcome]}${error !== null && html`: ${foreign(error)}`}`;
    return row(before.length < 10 ? index + 1 : none, { ...at, ended_at: one.ended_at }, how);
  });
  if (claimed_at !== null || lease !== null) {
    const over = lease === null ? null : html` over ${lease.via}`;
    const last = { worker, claimed_at, started_at, ended_at };
    rows.push(row(before.length < 10 ? before.length + 1 : 'last', last, html`${howOf(shown)}${over}`));
  }
  return tableOf(
    before.length < 10 ? 'In their order' : 'The last ones, in their order',
    ['Attempt', 'Worker', 'Handed out', 'Began', 'Ended', 'Lasted', 'How it ended'],
    rows,
    { none: status === 'queued' ? 'No worker has had it yet.' : 'No worker has had it.' },
  );
}

interface Attempt {
  readonly worker: string | null;
  readonly claimed_at: string | null;
  readonly started_at: string | null;
  readonly ended_at: string | null;
}

const outcomes: Readonly<Record<TaskView['attempts_before'][number]['outcome'], string>> = {
  failed: 'failed',
  cancelled: 'cancelled',
  expired: 'its lease ran out',
  released: 'taken from it',
  'given-back': 'given back',
};

function howOf({ status, error, reason }: TaskView): Html {
  if (!isFinished(status)) return statusOf(status);
  const why = error === null ? reason : errorText(error);
  const detail = error?.detail;
  return html`${statusOf(status)}${why !== null && html` ${foreign(why)}`}
  ${
    detail !== undefined &&
    html`<details>
      <summary>what its worker said</summary>
      ${linesOf(detail)}
    </details>`
  }`;
}

/** A template shows a newline in a value as `\n`: each line is one of its own. */
export function linesOf(text: string): Html {
  return html`<pre tabindex="0">${text.split('\n').map((line) => html`${line}<br />`)}</pre>`;
}
