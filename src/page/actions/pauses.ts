import { z } from 'zod';
import { html } from '../html.ts';
import { type Action, parametersOf } from '../page.ts';

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

export const pause: Action = {
  async confirm(form) {
    const paused = parametersOf(key, form);
    return {
      title: `Pause ${nameOf(paused)}?`,
      effects: html`<ul>
        <li>What is queued stays queued and is not handed out; what comes is queued and held.</li>
        <li>What workers have in hand goes on.</li>
        <li>Its schedules come due as before.</li>
      </ul>`,
      button: 'Pause',
      note: true,
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
