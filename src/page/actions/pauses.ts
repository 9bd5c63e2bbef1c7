import { z } from 'zod';
import { within } from '../../deadline.ts';
import { pauseEffect } from '../../control/what-if.ts';
import { html } from '../html.ts';
import { type Action, parametersOf } from '../page.ts';
import { figure, percent } from '../pieces.ts';
import { outlookOf } from './outlook.ts';

const key = z.object({
  scheduler: z.string(),
  organisation: z.string().optional(),
  boefje: z.string().optional(),
  note: z.string().optional(),
});

type Key = Pick<z.output<typeof key>, 'scheduler' | 'organisation' | 'boefje'>;

function nameOf({ scheduler, organisation, boefje }: Key): string {
  return [scheduler, organisation ?? 'every organisation', boefje ?? 'every boefje'].join(', ');
}

function fieldsOf({ scheduler, organisation, boefje }: Key): Record<string, string> {
  return {
    scheduler,
    ...(organisation === undefined ? {} : { organisation }),
    ...(boefje === undefined ? {} : { boefje }),
  };
}

const effectWithinMs = 3_000;

const confirmed = (paused: Key) => ({ title: `Pause ${nameOf(paused)}?`, button: 'Pause', note: true });

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
    const { held } = await operators.ask('pause', { ...paused, note });
    return {
      says: `${nameOf(paused)}: paused, ${held} tasks are held.`,
      undo: { action: 'resume', fields: fieldsOf(paused) },
    };
  },
};

export const resume: Action = {
  confirm: null,
  async run(form, { operators }) {
    const { note: _note, ...paused } = parametersOf(key, form);
    const { released } = await operators.ask('resume', paused);
    return {
      says: `${nameOf(paused)}: resumed, ${released} tasks may be handed out again.`,
      undo: { action: 'pause', fields: fieldsOf(paused) },
    };
  },
};
