import { RotaError } from '../../errors.ts';
import { whyNotNow } from '../../control/verdict.ts';
import { foreign, html } from '../html.ts';
import type { Action, PageRequest } from '../page.ts';
import { askedOf, questionOf } from '../question.ts';
import type { Form } from '../reply.ts';

/** For a first look at whether it may be queued: the command decides anew, and waits longer. */
const withinMs = 3_000;

function asked(form: Form) {
  const question = questionOf(askedOf(form));
  if (question === null)
    throw new RotaError('INVALID_REQUEST', 'expected what to queue: organisation and boefje, or an id');
  return question;
}

/** Queues what only waits for its time, as a person in Rocky does. */
export const runNow: Action = {
  async confirm(form, { operators }: PageRequest) {
    const view = await operators.ask('explain', { ...asked(form), within_ms: withinMs });
    const why = whyNotNow(view);
    if (why !== null) throw new RotaError('CONFLICT', `This may not be queued by hand: ${why}.`);
    const pause = view.in_the_way.find(({ what }) => what === 'pause');
    return {
      title: 'Queue it now?',
      effects: html`<ul>
        <li>
          One task of scheduler ${view.scheduler} is queued for organisation ${foreign(view.organisation)}, of priority
          1: it goes before all that no person asked for.
        </li>
        <li>
          Its grace period does not hold it back. Clearance, consent and what is queued are looked at again first.
        </li>
        ${pause !== undefined && html`<li>It is held meanwhile: ${foreign(pause.fact)}.</li>`}
        ${view.schedule !== null && html`<li>Its schedule goes on, and its next run is counted from now.</li>`}
        <li>It is taken back by cancelling the task.</li>
      </ul>`,
      button: 'Queue it now',
    };
  },
  async run(form, { operators }) {
    const { task, organisation } = await operators.ask('run-now', asked(form));
    return { says: `Queued for ${organisation} with priority 1: task ${task}.` };
  },
};
