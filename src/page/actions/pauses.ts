import { z } from 'zod';
import { within } from '../../deadline.ts';
import { overviewOf } from '../../control/overview.ts';
import { type Outlook, pauseEffect } from '../../control/what-if.ts';
import { excerpt } from '../../printable.ts';
import { moment, pauseName } from '../../control/wording.ts';
import type { PauseView } from '../../protocol/operator.ts';
import { foreign, type Html, html } from '../html.ts';
import { type Action, parametersOf } from '../page.ts';
import { figure, percent, perSecond, tableOf, timeOf } from '../pieces.ts';

const key = z.object({
  scheduler: z.string(),
  organisation: z.string().optional(),
  boefje: z.string().optional(),
  note: z.string().optional(),
});

type Key = Pick<z.output<typeof key>, 'scheduler' | 'organisation' | 'boefje'>;

function fieldsOf({ scheduler, organisation, boefje }: Key): Record<string, string> {
  return {
    scheduler,
    ...(organisation === undefined ? {} : { organisation }),
    ...(boefje === undefined ? {} : { boefje }),
  };
}

const effectWithinMs = 3_000;

const confirmed = (paused: Key) => ({ title: `Pause ${pauseName(paused)}?`, button: 'Pause', note: true });

const unknownEffects = html`<ul>
  <li>How many tasks it holds is not known: the database did not answer in time.</li>
  <li>What is queued stays queued and is not handed out; what workers have in hand goes on.</li>
</ul>`;

export const pause: Action = {
  async confirm(form, { operators, now }) {
    const { note: _note, ...paused } = parametersOf(key, form);
    const asked = pauseEffect(operators, await operators.instances(), paused);
    // A person may pause because the database is slow: the figures are not worth a wait.
    const effect = await within(asked, effectWithinMs).catch(() => null);
    if (effect === null) return { ...confirmed(paused), effects: unknownEffects };
    const { tasks, tasks_is_least: isLeast, at_work: atWork, of_the_work: share, outlook } = effect;
    const isAll = (paused.organisation ?? paused.boefje) === undefined;
    return {
      ...confirmed(paused),
      effects: html`<ul>
          <li>
            Holds ${figure(tasks, isLeast)} tasks that wait now: they stay queued and are not handed out. What comes is
            queued and held.
          </li>
          <li>
            Ends 0: what workers have in hand goes
            on${atWork !== null && html` (${figure(atWork)} tasks of ${paused.scheduler})`}.
          </li>
          ${share !== null && html`<li>Frees ${percent(share)} of the work of the last ten minutes${isAll ? html`: nothing of ${paused.scheduler} is handed out until it is resumed` : html` for the others`}.</li>`}
          <li>Its schedules come due as before, and wait.</li>
        </ul>
        ${outlook !== null && !isAll && outlookOf(outlook, 'With the pause', now)}`,
    };
  },
  async run(form, { operators }) {
    const { note, ...paused } = parametersOf(key, form);
    // Its supervisors go on by themselves where it is not complete.
    const { held, complete, known } = await operators.ask('pause', { ...paused, note });
    const tasks = complete ? `${held} tasks are held` : `${held} tasks are held so far; the rest follows by itself`;
    const unseen = known
      ? ''
      : ` No task or boefje of organisation ${paused.organisation} was ever seen: is it its code?`;
    return {
      says: `${pauseName(paused)}: paused, ${tasks}.${unseen}`,
      undo: { action: 'resume', fields: fieldsOf(paused) },
    };
  },
};

/** Its own note and its first author: the new pause is by who takes the resume back. */
function againOf(before: PauseView | undefined): string {
  if (before === undefined) return '';
  const first = `again, first by ${before.paused_by ?? 'an unknown operator'} at ${moment(before.since)}`;
  return excerpt(before.note === null ? first : `${before.note} (${first})`, 500);
}

export const resume: Action = {
  /** Of a part it is undone by a pause; all of a scheduler may be hours of work that begins at once. */
  async confirm(form, { operators }) {
    const { note: _note, ...paused } = parametersOf(key, form);
    if ((paused.organisation ?? paused.boefje) !== undefined) return null;
    const asked = operators.instances().then((instances) => overviewOf(operators, instances, 5));
    const looked = await within(asked, effectWithinMs).catch(() => null);
    const scheduler = looked?.schedulers.find(({ id }) => id === paused.scheduler);
    return {
      title: `Resume ${pauseName(paused)}?`,
      button: 'Resume',
      effects: html`<ul>
        <li>
          Hands out again what it
          holds${scheduler?.held == null ? ': how many tasks is not known, the database did not answer in time' : html`: ${figure(scheduler.held, scheduler.held_is_least)} tasks of ${paused.scheduler} are held now`}.
        </li>
        <li>What other pauses hold, of an organisation or a boefje, stays held.</li>
      </ul>`,
    };
  },
  async run(form, { operators }) {
    const { note: _note, ...paused } = parametersOf(key, form);
    const before = await within(operators.ask('pauses', {}), effectWithinMs).then(
      ({ results }) => results.find((it) => pauseName(it) === pauseName(paused)),
      () => undefined,
    );
    const { released, complete } = await operators.ask('resume', paused);
    const tasks = `${released} tasks may be handed out again`;
    return {
      says: `${pauseName(paused)}: resumed, ${tasks}${complete ? '' : ' so far; the rest follows by itself'}.`,
      undo: { action: 'pause', fields: { ...fieldsOf(paused), note: againOf(before) } },
    };
  },
};

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
