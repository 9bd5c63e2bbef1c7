import { z } from 'zod';
import { eventStreams } from '../../tasks/task.ts';
import { address, html } from '../html.ts';
import { type Action, parametersOf } from '../page.ts';
import { fieldsOf, type Form } from '../reply.ts';

/** What is done to whole queues: a new ranking, and events that were given up. */

const rerankForm = z.object({ scheduler: z.string(), queued: z.coerce.number().optional() });

export const rerank: Action = {
  async confirm(form) {
    const { scheduler, queued } = parametersOf(rerankForm, form);
    return {
      title: `Rank ${scheduler} anew?`,
      effects: html`<ul>
        <li>
          ${queued === undefined ? 'Every queued task' : `Each of the ${queued.toLocaleString('en')} queued tasks`} gets
          the place that the ranker gives it now. What a worker has stays with it.
        </li>
        <li>Nothing stops: pops go on meanwhile, and take what is first at their moment.</li>
        <li>There is no way back to the places of before: rank it anew with the ranker of before.</li>
      </ul>`,
      button: 'Rank anew',
    };
  },
  async run(form, { operators }) {
    const { scheduler } = parametersOf(rerankForm, form);
    const { instance, run, looked, moved, complete } = await operators.ask('rerank', { scheduler });
    if (complete)
      return { says: `${scheduler}: ${looked} ${looked === 1 ? 'task' : 'tasks'} ranked, ${moved} of them moved.` };
    return {
      says: `${scheduler} is being ranked anew.`,
      to: address('/machinery/rerank', { scheduler, instance, run }),
    };
  },
};

const lettersForm = z.object({ stream: z.enum(eventStreams).optional(), count: z.coerce.number().optional() });

/** Those that are named, or all of a stream. */
function lettersOf(form: Form) {
  const { ids: _ids, ...rest } = form;
  const { stream, count } = parametersOf(lettersForm, rest);
  const ids = fieldsOf(form, 'ids');
  const what =
    ids.length === 0 ? `all ${count ?? ''} of ${stream}` : ids.length === 1 ? 'this event' : `${ids.length} events`;
  return { which: ids.length === 0 ? { stream } : { ids: [...ids] }, what, isMany: ids.length !== 1 };
}

export const requeueLetters: Action = {
  async confirm(form) {
    const { what, isMany } = lettersOf(form);
    if (!isMany) return null;
    return {
      title: `Requeue ${what}?`,
      effects: html`<ul>
        <li>Each is tried again from the beginning, as if it had just come.</li>
        <li>What failed for a cause that is still there is given up again, some minutes later.</li>
      </ul>`,
      button: 'Requeue',
    };
  },
  async run(form, { operators }) {
    const { settled } = await operators.ask('settle-dead-letters', { action: 'requeue', ...lettersOf(form).which });
    return { says: `${settled.length === 1 ? '1 event is' : `${settled.length} events are`} tried again.` };
  },
};

export const dropLetters: Action = {
  async confirm(form) {
    const { what, isMany } = lettersOf(form);
    return {
      title: `Drop ${what}?`,
      effects: html`<ul>
        <li>Removed for good: nothing is queued for it, and its body is gone.</li>
        <li>
          A raw file that no normalizer saw stays in Bytes; a mutation comes again only with the next change of its OOI.
        </li>
      </ul>`,
      button: 'Drop',
      ...(isMany ? { typed: 'drop' } : {}),
    };
  },
  async run(form, { operators }) {
    const { settled } = await operators.ask('settle-dead-letters', { action: 'drop', ...lettersOf(form).which });
    return { says: `${settled.length === 1 ? '1 event is' : `${settled.length} events are`} dropped.` };
  },
};
