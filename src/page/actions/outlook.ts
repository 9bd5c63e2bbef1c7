import type { Outlook } from '../../control/what-if.ts';
import { rankerAdvice } from '../../control/advice.ts';
import type { RerankPreview } from '../../protocol/operator-organisations.ts';
import { each, foreign, type Html, html } from '../html.ts';
import { figure, hiddenFields, perSecond, tableOf, timeOf } from '../pieces.ts';

/** Organisations that a confirmation names. */
const mostNamed = 8;

/** Who is done when, as it is and with the change. */
export function outlookOf({ per_second: rate, all, organisations }: Outlook, change: string, now: number): Html {
  const at = (seconds: number | null, never: string) =>
    seconds === null ? html`${never}` : timeOf(new Date(now + seconds * 1_000).toISOString(), now);
  const rows = organisations
    .slice(0, mostNamed)
    .map(({ name, waiting, before, after }) => [
      foreign(name),
      figure(waiting),
      at(before, '–'),
      at(after, 'not while it is held'),
    ]);
  if (rows.length === 0) return html``;
  return html`<p>
      All that waits now would be handed out ${at(all.before, 'never')}; ${change.toLowerCase()}
      ${at(all.after, 'never')}.
    </p>
    ${tableOf(
      'When what waits now is handed out, those that change most first',
      ['Organisation', 'Waiting', 'As it is', change],
      rows,
      { none: 'Nothing waits.' },
    )}
    <p class="soft">
      An estimate: workers go on as in the last minutes (${perSecond(rate)}), take turns by weight, and nothing more
      comes.
    </p>`;
}

/** Who would be next with a ranker, and a form that asks the same of another one. */
export function previewOf(preview: RerankPreview, kept: Readonly<Record<string, string>>): Html {
  const { scheduler, ranker, own, rankers, looked, looked_is_least: least, organisations, others } = preview;
  const rows = organisations.map(({ name, before, after }) => [
    foreign(name),
    figure(before.count),
    figure(after.count),
    figure(before.first),
    figure(after.first),
  ]);
  const caption = `Of the next ${Math.min(looked, 1_000)} tasks, as it is and ranked by ${ranker}`;
  const head = ['Organisation', 'Now', `With ${ranker}`, 'First now', 'First then'];
  return html`<form class="filter" method="post" action="/do/rerank">
      ${hiddenFields({ scheduler, ...kept })}
      <label
        >Who would be next with
        <select name="ranker">
          ${each(rankers, (one) => html`<option ${one === ranker && html`selected`}>${one}</option>`)}
        </select></label
      >
      <button>Preview</button>
    </form>
    ${tableOf(caption, head, rows, { none: 'Nothing is queued that may be popped.' })}
    ${others > 0 && html`<p class="soft">And ${others} other organisations.</p>`}
    <p class="soft">
      The ${least && 'first'} ${figure(looked)} queued tasks were ranked by ${ranker}, and nothing is
      changed.${least && ' What stands behind them is not looked at.'}
    </p>
    ${ranker !== own && html`<p>${scheduler} has ${own}: ${rankerAdvice(scheduler, ranker)}.</p>`}`;
}
