import { z } from 'zod';
import { RotaError } from '../../errors.ts';
import { moment } from '../../control/wording.ts';
import { each, html } from '../html.ts';
import { type Action, parametersOf } from '../page.ts';
import { field, fieldsOf } from '../reply.ts';

/** What one request changes. */
const mostTicked = 500;

const actions = {
  run: {
    verb: 'Make due now',
    done: 'due now',
    undo: null,
    effects: [
      'What its scheduler’s rules allow is queued within a minute, whenever it last ran.',
      'Nothing takes it back: what was queued is cancelled as tasks.',
    ],
  },
  enable: {
    verb: 'Enable',
    done: 'enabled',
    undo: 'disable',
    effects: [
      'They come due as their crons or intervals say; what is overdue comes due now.',
      'Those that were enabled before stay so: to disable all of these again is no way back for them.',
    ],
  },
  disable: {
    verb: 'Disable',
    done: 'disabled, until a person enables them',
    undo: 'enable',
    effects: [
      'They come due no more until a person enables them. What is queued of them stays queued.',
      'Those that were disabled before stay so: to enable all of these again is no way back for them.',
    ],
  },
} as const;

const change = z.object({ action: z.enum(['run', 'enable', 'disable']) });

/** Of the ticked ones, or of one. */
export const changeSchedules: Action = {
  /** One that is enabled or disabled is undone by a button; no button takes back what was queued, or many of them. */
  async confirm(form) {
    const { action } = parametersOf(change, { action: field(form, 'action') });
    const { length } = fieldsOf(form, 'id');
    if (length === 0 || length > mostTicked || (length === 1 && action !== 'run')) return null;
    const { verb, effects } = actions[action];
    const what = length === 1 ? '1 schedule' : `${length} schedules`;
    return {
      title: `${verb} ${what}?`,
      button: verb,
      effects: html`<ul>
        ${each(effects, (effect) => html`<li>${effect}</li>`)}
      </ul>`,
    };
  },
  async run(form, { operators }) {
    const { action } = parametersOf(change, { action: field(form, 'action') });
    const ids = fieldsOf(form, 'id');
    if (ids.length === 0) throw new RotaError('INVALID_REQUEST', 'tick a schedule first');
    if (ids.length > mostTicked) throw new RotaError('INVALID_REQUEST', `tick ${mostTicked} schedules at most`);
    const { changed, refused } = await operators.ask('change-schedules', { action, ids: [...ids] });
    const { done, undo } = actions[action];
    const [first] = refused;
    const others = refused.length > 1 ? ` (and ${refused.length - 1} more)` : '';
    const but = first === undefined ? '' : `; ${refused.length} refused: ${first.detail}${others}`;
    // The cookie of a notice has room for one id.
    const [only] = ids;
    return {
      says: `${changed} ${changed === 1 ? 'schedule is' : 'schedules are'} ${done}${but}.`,
      ...(undo === null || ids.length > 1 || changed === 0
        ? {}
        : { undo: { action: 'change-schedules', fields: { action: undo, id: only! } } }),
    };
  },
};

const timed = z.object({ id: z.string(), cron: z.string().nullable().default(null) });

export const setCron: Action = {
  confirm: null,
  async run(form, { operators }) {
    const { id, cron } = parametersOf(timed, { id: field(form, 'id'), cron: field(form, 'cron') });
    const { schedule: before } = await operators.ask('schedule-details', { id });
    const { deadline_at: due } = await operators.ask('set-cron', { id, cron });
    return {
      ...(before === cron ? {} : { undo: { action: 'set-cron', fields: { id, cron: before ?? '' } } }),
      says:
        cron === null
          ? 'Its cron is gone: the boefje’s interval or the default one decides.'
          : `Its cron is ${cron}: it runs next at ${moment(due)}.`,
      to: `/schedules/${encodeURIComponent(id)}`,
    };
  },
};
