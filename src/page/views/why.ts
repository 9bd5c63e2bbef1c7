import type { ExplanationView } from '../../protocol/operator-lists.ts';
import { type Verdict, verdictOf, whyNotNow } from '../../control/verdict.ts';
import { within } from '../../deadline.ts';
import { failureOf } from '../../mailbox/failure.ts';
import { lengths } from '../../tasks/limits.ts';
import { address, each, foreign, type Html, html } from '../html.ts';
import type { Page, PageRequest } from '../page.ts';
import { actionButton, state, timeOf } from '../pieces.ts';
import { type Asked, askedOf, longestFile, questionOf } from '../actions/why.ts';
import { besideMs, besides, gatesOf, knownGates } from './gates.ts';

/** The first look waits so long for the actor, which asks three services; `wait` more, where a person wants it. */
const firstLookMs = 3_000;
const patientMs = 8_000;
/** The page as a whole, with each part that hangs. */
const pageMs = 9_000;
const mostChoices = 100;

/** `/why`: why a task runs, waits, or is not there; verdict first. */
export async function why(request: PageRequest): Promise<Page> {
  const asked = askedOf(request.query);
  const choices = choicesOf(request);
  const page = async (sections: Page['sections']): Promise<Page> => ({
    title: 'Why is it not running?',
    sections: { ask: askForm(asked, await choices), ...sections },
    command: commandOf(asked),
  });
  try {
    const question = questionOf(asked);
    if (question === null) return await page({ verdict: nothingAsked });
    const began = performance.now();
    const patient = request.query['wait'] !== undefined;
    const beside = besides(request);
    const explained = await within(
      request.operators.ask('explain', { ...question, within_ms: patient ? patientMs : firstLookMs }),
      pageMs,
      'ASK_TIMEOUT',
    ).catch((error: unknown) => ({ failed: failureOf(error) }));
    const known = await beside;
    if ('failed' in explained) {
      const { code, message } = explained.failed;
      // A question that is wrong is no outage.
      if (code !== 'ASK_TIMEOUT' && !explained.failed.retryable) return await page({ verdict: problem(message) });
      return await page({ verdict: silent(message, request), gates: knownGates(asked, known, request.now) });
    }
    const took = performance.now() - began;
    return await page({
      verdict: verdictBox(explained, asked, request),
      gates: gatesOf(explained, known, request.now),
      times: timesOf(explained, took, request),
    });
  } catch (error) {
    if (failureOf(error).code === 'BROKEN') throw error;
    return await page({ verdict: problem(failureOf(error).message) });
  }
}

const nothingAsked = html`<p class="empty">
  Name an organisation and a boefje, and the OOI if the boefje takes one. The answer says in one sentence whether a task
  of it runs, when it starts, or what keeps it from being queued, and what to do.
</p>`;

interface Choices {
  readonly organisations: readonly string[];
  readonly boefjes: readonly string[];
}

/** What the fields offer; any other name may be typed. */
async function choicesOf({ operators }: PageRequest): Promise<Choices> {
  const names = async (kind: 'organisation' | 'boefje') => {
    const asked = operators.ask('names', { kind, scheduler: 'boefje', limit: mostChoices });
    return within(asked, besideMs, 'ASK_TIMEOUT').then(
      ({ results }) => results,
      () => [],
    );
  };
  const [organisations, boefjes] = await Promise.all([names('organisation'), names('boefje')]);
  return { organisations, boefjes };
}

function dataList(id: string, names: readonly string[]): Html {
  return html`<datalist id="${id}">${each(names, (name) => html`<option value="${name}"></option>`)}</datalist>`;
}

function askForm(
  { organisation, boefje, ooi, id, raw_file: file, normalizer }: Asked,
  { organisations, boefjes }: Choices,
): Html {
  return html`${dataList('organisations', organisations)} ${dataList('boefjes', boefjes)}
    <form class="filter" action="/why">
      <label
        >Organisation
        <input
          name="organisation"
          list="organisations"
          value="${organisation ?? ''}"
          required
          maxlength="${lengths.organisation}"
      /></label>
      <label
        >Boefje <input name="boefje" list="boefjes" value="${boefje ?? ''}" required maxlength="${lengths.name}"
      /></label>
      <label class="wide"
        >OOI, the whole reference
        <input name="ooi" value="${ooi ?? ''}" maxlength="${lengths.ooi}" placeholder="Hostname|internet|example.com"
      /></label>
      <button class="main">Explain</button>
    </form>
    <details ${(id !== undefined || file !== undefined) && html`open`}>
      <summary>About a task, a schedule or a raw file</summary>
      <form class="filter" action="/why">
        <label class="wide"
          >Id of a task or schedule <input name="id" value="${id ?? ''}" required maxlength="64"
        /></label>
        <button>Explain</button>
      </form>
      <form class="filter" action="/why">
        <label class="wide"
          >Bytes’ event about a raw file, or a dead letter, as JSON
          <textarea name="raw_file" rows="4" required maxlength="${longestFile}">${file ?? ''}</textarea>
        </label>
        <label
          >Normalizer (any) <input name="normalizer" value="${normalizer ?? ''}" maxlength="${lengths.name}"
        /></label>
        <button>Explain</button>
      </form>
    </details>`;
}

function commandOf({ id, organisation, boefje, ooi, raw_file: file, normalizer }: Asked): readonly string[] {
  const explain = ['rota', 'explain'];
  const option = (name: string, value: string | undefined) => (value === undefined ? [] : [`--${name}`, value]);
  if (id !== undefined) return [...explain, id];
  if (file !== undefined) return [...explain, '--raw-file', 'FILE', ...option('normalizer', normalizer)];
  return [...explain, ...option('organisation', organisation), ...option('boefje', boefje), ...option('ooi', ooi)];
}

const boxes = { good: 'fine', idle: 'idle', warn: 'warning', bad: 'problem' } as const;

function box(level: Verdict['level'], word: string, sentence: Html, more: Html): Html {
  return html`<div class="findings answer">
    <div class="${boxes[level]}">
      <p>${state(level, word)}</p>
      <p class="verdict">${sentence}</p>
      ${more}
    </div>
  </div>`;
}

const words = { good: 'Under way', idle: 'Nothing wrong', warn: 'Look', bad: 'Blocked' } as const;

function verdictBox(explained: ExplanationView, asked: Asked, request: PageRequest): Html {
  const verdict = verdictOf(explained);
  const { level, sentence, reason, fact, advice } = verdict;
  return box(
    level,
    words[level],
    foreign(sentence),
    html`${
        (fact !== null || reason !== null) &&
        html`<p>Why: ${fact !== null && foreign(fact)} ${reason !== null && html`<code>${reason}</code>`}</p>`
      }
      ${advice !== null && html`<p class="advice">Do: ${foreign(advice)}.</p>`}
      <div class="acts">${actsOf(verdict, explained, asked, request)}</div>`,
  );
}

function actsOf(
  { kind }: Verdict,
  explained: ExplanationView,
  asked: Asked,
  { access, at }: PageRequest,
): readonly Html[] {
  const pause = explained.in_the_way.find(({ what }) => what === 'pause');
  const { organisation, boefje } = pause ?? {};
  const resume = { scheduler: explained.scheduler, organisation, boefje };
  return [
    ...(kind === 'held' ? [actionButton(access, 'resume', 'Resume', resume, at)] : []),
    ...(kind === 'unknown' ? [askAgain(at, true)] : []),
    ...(mayBeQueued(explained) ? [actionButton(access, 'run-now', 'Queue it now…', { ...asked }, at)] : []),
  ];
}

/** A raw file without a named normalizer may become several tasks. */
function mayBeQueued(explained: ExplanationView): boolean {
  return explained.hash !== null && whyNotNow(explained) === null;
}

function askAgain(at: string, patiently: boolean): Html {
  const url = new URL(at, 'http://page');
  if (patiently) url.searchParams.set('wait', '8');
  else url.searchParams.delete('wait');
  const text = patiently ? 'Ask again, and wait up to 8 s' : 'ask again ↻';
  return html`<a href="${url.pathname}${url.search}">${text}</a>`;
}

function problem(message: string): Html {
  return box('bad', 'No answer', foreign(message), html``);
}

function silent(message: string, { at }: PageRequest): Html {
  const more = html`<p>${foreign(message)}</p>
    <p class="advice">Do: see whether database, services and actors are up: <a href="/machinery">Machinery</a>.</p>
    <div class="acts">${askAgain(at, true)}</div>`;
  return box('warn', words.warn, html`It cannot be told now: Rota itself does not answer in time.`, more);
}

function timesOf(explained: ExplanationView, tookMs: number, { now, at }: PageRequest): Html {
  const { schedule, next_run_at: next, then_again_at: again, asked_at: asked } = explained;
  const due =
    schedule === null
      ? html`it has no schedule`
      : !schedule.enabled
        ? html`its schedule is disabled (${schedule.disabled_reason ?? 'unknown'})`
        : next === null
          ? html`its schedule has no deadline`
          : html`its schedule is due ${timeOf(next, now)}`;
  return html`<dl class="times">
    <dt>Next</dt>
    <dd>
      ${due} ${schedule !== null && html`<a href="${address('/why', { id: schedule.id })}">as if it were due</a>`}
    </dd>
    <dt>Then again</dt>
    <dd>${again === null ? html`never by itself` : html`${timeOf(again, now)}, after a run now`}</dd>
    <dt>Asked</dt>
    <dd>at ${asked.slice(11, 19)} UTC, answered in ${Math.round(tookMs)} ms · ${askAgain(at, false)}</dd>
  </dl>`;
}
