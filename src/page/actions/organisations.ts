import { z } from 'zod';
import { weightOutlook } from '../../control/what-if.ts';
import { weightRange } from '../../tasks/limits.ts';
import { foreign, html } from '../html.ts';
import { type Action, parametersOf } from '../page.ts';
import { figure } from '../pieces.ts';
import { outlookOf } from './pauses.ts';

const purged = z.object({ organisation: z.string() });

export const purge: Action = {
  async confirm(form, { operators }) {
    const { organisation } = parametersOf(purged, form);
    const [{ schedulers }, { count, count_is_least: isLeast }, { results: pauses }] = await Promise.all([
      operators.ask('organisation', { organisation }),
      operators.ask('schedules', { organisation, limit: 0 }),
      operators.ask('pauses', {}),
    ]);
    const queued = schedulers.reduce((sum, it) => sum + it.queued, 0);
    const atWork = schedulers.reduce((sum, it) => sum + it.at_work, 0);
    const own = pauses.filter((pause) => pause.organisation === organisation).length;
    return {
      title: `Purge ${organisation}?`,
      effects: html`<ul>
        <li>Cancels ${figure(queued)} queued tasks.</li>
        <li>Deletes ${figure(count, isLeast)} schedules, those with a cron of a person too.</li>
        <li>Ends ${figure(own)} pauses, and takes its weights back.</li>
        <li>
          Ends none of the ${figure(atWork)} tasks that workers have in hand, and keeps what has ended as history.
        </li>
        <li>While Katalogus still has ${foreign(organisation)}, its boefjes count as new, and it is scheduled anew.</li>
      </ul>`,
      button: 'Purge',
      typed: organisation,
    };
  },
  async run(form, { operators }) {
    const { organisation } = parametersOf(purged, form);
    const { tasks, schedules, pauses } = await operators.ask('purge', { organisation });
    return {
      says: `${organisation}: ${tasks} queued tasks cancelled, ${schedules} schedules deleted, ${pauses} pauses ended.`,
    };
  },
};

const weighted = z.object({
  scheduler: z.string(),
  organisation: z.string(),
  weight: z.coerce
    .number({ error: 'expected a number' })
    .min(weightRange.least, `expected a number from ${weightRange.least} to ${weightRange.most}`)
    .max(weightRange.most, `expected a number from ${weightRange.least} to ${weightRange.most}`),
});

export const setWeight: Action = {
  async confirm(form, { operators, now }) {
    const change = parametersOf(weighted, form);
    const { scheduler, organisation, weight } = change;
    const outlook = await weightOutlook(operators, await operators.instances(), change);
    return {
      title: `Weight ${weight} for ${organisation} in ${scheduler}?`,
      effects: html`<ul>
          <li>It is then served ${weight} times as often as an organisation of weight 1, while both wait.</li>
          <li>
            Holds for what is queued from now on. What is queued already keeps its place until
            <code>rota rerank ${scheduler}</code>.
          </li>
        </ul>
        ${outlook !== null && outlookOf(outlook, 'With this weight, after a rerank', now)}`,
      button: 'Set weight',
    };
  },
  async run(form, { operators }) {
    const { scheduler, organisation, weight } = parametersOf(weighted, form);
    const { before } = await operators.ask('set-weight', { scheduler, organisation, weight });
    return {
      says: `${organisation} has weight ${weight} in ${scheduler} from now on, not ${before}; rota rerank ${scheduler} gives it to what is queued.`,
      undo: { action: 'set-weight', fields: { scheduler, organisation, weight: String(before) } },
    };
  },
};
