import type { Outlook } from '../../control/what-if.ts';
import { foreign, type Html, html } from '../html.ts';
import { figure, perSecond, tableOf, timeOf } from '../pieces.ts';

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
