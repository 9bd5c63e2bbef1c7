import { z } from 'zod';
import { RotaError } from '../../errors.ts';
import { moment } from '../../control/wording.ts';
import { type Action, parametersOf } from '../page.ts';
import { field, fieldsOf } from '../reply.ts';

/** What one request changes. */
const mostTicked = 500;

const actions = {
  run: { done: 'due now', undo: null },
  enable: { done: 'enabled', undo: 'disable' },
  disable: { done: 'disabled, until a person enables them', undo: 'enable' },
} as const;

const change = z.object({ action: z.enum(['run', 'enable', 'disable']) });

/** Of the ticked ones, or of one. */
export const changeSchedules: Action = {
  confirm: null,
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
    const { deadline_at: due } = await operators.ask('set-cron', { id, cron });
    return {
      says:
        cron === null
          ? 'Its cron is gone: the boefje’s interval or the default one decides.'
          : `Its cron is ${cron}: it runs next at ${moment(due)}.`,
      to: `/schedules/${encodeURIComponent(id)}`,
    };
  },
};
