import type { Overview } from '../../control/overview.ts';
import type { DeadLetterView, SourceView } from '../../protocol/operator-status.ts';
import { excerpt } from '../../printable.ts';
import { address, foreign, type Html, html } from '../html.ts';
import type { PageRequest } from '../page.ts';
import { actionButton, figure, state, tableOf, timeOf } from '../pieces.ts';

/** Parts of Machinery: where events come from, the services that are asked about them, and events that were given up. */

export function sources({ sources: all, supervisors }: Overview): Html {
  const inBroker = all.map(({ source, waiting, retrying, dead, error, full }) => [
    source,
    error === null && full === null
      ? state('good', 'answers')
      : html`${state('bad', 'trouble')} ${foreign(error ?? full)}`,
    figure(waiting),
    figure(retrying),
    (dead ?? 0) > 0 ? html`<a href="#letters">${figure(dead)}</a> ${state('warn', 'given up')}` : figure(dead),
  ]);
  const streams = supervisors.flatMap(({ instance, actors }) =>
    actors.flatMap(({ thread }) => (thread?.streams ?? []).map((it) => ({ instance, ...it }))),
  );
  return html`${tableOf(
    'In the broker, for all supervisors',
    ['Source', 'State', 'Waiting', 'Retrying', 'Dead'],
    inBroker,
    {
      none: 'No event source is configured: QUEUE_URI, or SCHEDULER_EVENTS=jetstream.',
    },
  )}
  ${
    streams.length > 0 &&
    tableOf(
      'Taken by each supervisor since its actors started',
      ['Stream', 'On', 'State', 'In hand', 'Done', 'Retried', 'Given up'],
      streams.map((it) => [
        it.stream,
        it.instance,
        html`${it.connected ? state('good', 'connected') : state('bad', 'not connected')}
        ${it.last_error !== null && html`<span class="soft">last error: ${foreign(it.last_error)}</span>`}`,
        figure(it.in_hand),
        figure(it.done),
        figure(it.retried),
        figure(it.dead_lettered),
      ]),
      { none: '', keys: streams.map(({ instance, stream }) => `stream-${instance}-${stream}`) },
    )
  }`;
}

/** Open ones first. */
export function circuits({ supervisors }: Overview, { now }: PageRequest): Html {
  const all = supervisors
    .flatMap(({ instance, actors }) =>
      actors.flatMap(({ name, thread }) => (thread?.services ?? []).map((it) => ({ on: instance, of: name, ...it }))),
    )
    .toSorted((a, b) => Number(a.circuit === 'closed') - Number(b.circuit === 'closed'));
  return tableOf(
    'An open circuit asks nothing of its service but a probe every few seconds',
    ['Service', 'Of', 'On', 'Circuit', 'Since', 'In flight', 'Last error'],
    all.map((it) => [
      it.service,
      it.of,
      it.on,
      state(it.circuit === 'closed' ? 'good' : 'bad', it.circuit),
      timeOf(it.open_since, now),
      figure(it.in_flight),
      foreign(it.last_error),
    ]),
    {
      none: 'None is configured: KATALOGUS_API, OCTOPOES_API, BYTES_API.',
      keys: all.map((it) => `circuit-${it.on}-${it.of}-${it.service}`),
    },
  );
}

/** What the command keeps for screens. */
const mostLetters = 20;
const keptSeconds = 10;
/** Of a body on the page; `rota dead show` has the whole. */
const longestBody = 4_000;
/** Of an address, which servers and proxies bound at 8 000. */
const longestAddress = 6_000;

export async function letters(all: readonly SourceView[], { operators, access, at, now }: PageRequest): Promise<Html> {
  if (all.length === 0) return html`<p class="empty">No event source is configured, so that none can be given up.</p>`;
  // The broker hands them out to be listed: only where there are any.
  const dead = all.filter((source) => source.dead === null || source.dead > 0);
  const body = { limit: mostLetters, max_age_seconds: keptSeconds };
  const found = dead.length === 0 ? [] : (await operators.ask('dead-letters', body)).results;
  const table = tableOf(
    'Events that were given up, the oldest of each stream',
    ['Event', 'Stream', 'Given up', 'Attempts', 'Error', 'Body', 'Do'],
    found.map((letter) => [
      html`<code>${excerpt(letter.id, 14)}</code>`,
      letter.stream,
      timeOf(letter.at, now),
      figure(letter.attempts),
      foreign(letter.error),
      bodyOf(letter),
      html`<div class="acts">
        ${actionButton(access, 'requeue-letters', 'Requeue', { ids: letter.id }, at)}
        ${actionButton(access, 'drop-letters', 'Drop…', { ids: letter.id }, at)}
      </div>`,
    ]),
    { none: 'None: every event was taken.', keys: found.map(({ id }) => `letter-${encodeURIComponent(id)}`) },
  );
  const streams = dead.filter((source) => (source.dead ?? 0) > 1);
  return html`${table}
  ${
    access === 'operate' &&
    streams.map(
      ({ stream, dead: count }) =>
        html`<div class="acts">
          All ${figure(count)} of ${stream}:
          ${actionButton(access, 'requeue-letters', 'Requeue all…', { stream, count: String(count) }, at)}
          ${actionButton(access, 'drop-letters', 'Drop all…', { stream, count: String(count) }, at)}
        </div>`,
    )
  }`;
}

function bodyOf({ id, stream, body, body_bytes: bytes }: DeadLetterView): Html {
  const whole = html`<p class="soft">The whole: <code>rota dead show ${excerpt(id, 100)}</code></p>`;
  if (body === null && bytes !== undefined) return html`${figure(bytes)} bytes ${whole}`;
  const text = typeof body === 'string' ? body : JSON.stringify(body, null, 2);
  const explain = stream === 'raw_file_received' ? address('/why', { raw_file: JSON.stringify(body) }) : '';
  const isShort = explain !== '' && typeof body === 'object' && explain.length <= longestAddress;
  return html`<details>
    <summary>Show body</summary>
    <pre tabindex="0">${lines(excerpt(text, longestBody))}</pre>
    ${text.length > longestBody && whole} ${isShort && html`<a href="${explain}">Explain…</a>`}
  </details>`;
}

/** Each through the template, which shows control characters as such. */
function lines(text: string): readonly Html[] {
  return text.split('\n').map((line) => html`${line}<br />`);
}
