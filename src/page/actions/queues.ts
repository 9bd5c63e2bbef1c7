import { z } from 'zod';
import { eventStreams } from '../../tasks/task.ts';
import { failureOf } from '../../mailbox/failure.ts';
import { rankerAdvice } from '../../control/advice.ts';
import type { RerankPreview } from '../../protocol/operator-organisations.ts';
import { address, each, foreign, type Html, html } from '../html.ts';
import { figure, hiddenFields, state, tableOf } from '../pieces.ts';
import { type Action, parametersOf } from '../page.ts';
import { backOf, fieldsOf, type Form } from '../reply.ts';

/** What is done to whole queues: a new ranking, and events that were given up. */

const rerankForm = z.object({
  scheduler: z.string(),
  queued: z.coerce.number().optional(),
  /** Of the preview. */
  ranker: z.string().optional(),
});

export const rerank: Action = {
  async confirm(form, { operators }) {
    const { scheduler, queued, ranker } = parametersOf(rerankForm, form);
    const of = { scheduler, ...(ranker === undefined ? {} : { ranker }) };
    const preview = await operators.ask('preview-rerank', of).catch((error: unknown) => failureOf(error).message);
    const shown =
      typeof preview === 'string'
        ? html`<p>${state('warn', 'Who would be next is not known')}: ${preview}.</p>`
        : previewOf(preview, { ...(queued === undefined ? {} : { queued: String(queued) }), back: backOf(form) });
    // Only the scheduler's own ranker can rank it anew.
    if (ranker !== undefined && (typeof preview === 'string' || ranker !== preview.own))
      return { title: `${scheduler} as ${ranker} would rank it`, effects: shown, button: null };
    return {
      title: `Rank ${scheduler} anew?`,
      effects: html`<ul>
          <li>
            ${(queued ?? 0) < 2 ? 'Every queued task' : `Each of the ${queued!.toLocaleString('en')} queued tasks`} gets
            the place that ${typeof preview === 'string' ? 'the ranker' : `the ranker ${preview.own}`} gives it now.
            What a worker has stays with it.
          </li>
          <li>Nothing stops: pops go on meanwhile, and take what is first at their moment.</li>
          <li>The places of before are not kept: there is no way back.</li>
        </ul>
        ${shown}`,
      button: 'Rank anew',
    };
  },
  async run(form, { operators, jobs, by }) {
    const { scheduler, queued } = parametersOf(rerankForm, form);
    const job = jobs.begin<RankedSoFar>({
      title: `Rank ${scheduler} anew`,
      past: 'ranked',
      by,
      why: null,
      expected: queued ?? 0,
      expectedIsLeast: queued === undefined,
      list: address('/tasks', { scheduler, status: 'queued' }),
      fields: { action: 'rerank', scheduler },
      goesOn: 'a new ranking goes on to its end: stopped halfway, old and new places would stand in one queue',
      step: async (place) => {
        const asked = place === null ? { scheduler } : { scheduler, run: place.run };
        const { instance, run, looked, complete } = await operators.ask('rerank', asked, place?.instance);
        const next = complete ? null : { instance, run, looked };
        return { changed: looked - (place?.looked ?? 0), refused: [], next };
      },
    });
    return { says: `${job.title}: begun.`, to: `/jobs/${job.id}` };
  },
};

/** Of a run at its supervisor, which answers after 5 s at most and is asked again. */
interface RankedSoFar {
  readonly instance: string;
  readonly run: string;
  readonly looked: number;
}

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

/** Who would be next with a ranker, and a form that asks the same of another one. */
function previewOf(preview: RerankPreview, kept: Readonly<Record<string, string>>): Html {
  const { scheduler, ranker, own, rankers, looked, looked_is_least: least, counted, organisations, others } = preview;
  const rows = organisations.map(({ name, before, after }) => [
    foreign(name),
    figure(before.count),
    figure(after.count),
    figure(before.first),
    figure(after.first),
  ]);
  const caption = `Whose the next ${counted.toLocaleString('en')} tasks are, and the place of the first: as it is, and ranked by ${ranker}`;
  const head = ['Organisation', 'Now', 'Then', 'First now', 'First then'];
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
    ${looked > 0 && html`<p class="soft">${least ? 'The first' : 'All'} ${figure(looked)} tasks that may be popped were ranked by ${ranker}, and nothing is changed.${least && ' What stands behind them is not looked at.'}</p>`}
    ${ranker !== own && html`<p>${scheduler} has ${own}: ${rankerAdvice(scheduler, ranker)}.</p>`}`;
}
