import { type Overview, overviewOf } from '../../control/overview.ts';
import { ageOf, megabytes } from '../../control/wording.ts';
import type { ActorView, SchedulerView } from '../../protocol/operator-status.ts';
import { logLevels } from '../actions/machinery.ts';
import type { PauseView } from '../../protocol/operator.ts';
import { within } from '../../deadline.ts';
import { flowOf, isPaused } from '../../control/flow.ts';
import { foreign, type Html, html } from '../html.ts';
import type { Page, PageRequest } from '../page.ts';
import { actionButton, figure, flowLevels, secondsOf, sectionOf, state, tableOf, timeOf } from '../pieces.ts';
import { circuits, letters, sources } from './sources.ts';
import { doctor, settings, workers } from './workers.ts';

/** Of the database's and the broker's figures; what supervisors know themselves is asked each time. */
const maxAgeSeconds = 5;
/** The machinery is looked at when the database is out, too. */
const pausesWithinMs = 2_000;

/** `/machinery`: supervisors and their actors, what they are connected to, who works for them, and what is set. */
export async function machinery(request: PageRequest): Promise<Page> {
  const { operators } = request;
  const instances = await operators.instances();
  const pausesAsked = within(operators.ask('pauses', { max_age_seconds: maxAgeSeconds }), pausesWithinMs).then(
    ({ results }) => results,
    () => null,
  );
  // At once: each waits for a supervisor that hangs.
  const others = Promise.all([
    sectionOf('Workers', () => workers(request)),
    sectionOf('Doctor', () => doctor(instances, request)),
    sectionOf('Settings', () => settings(request)),
  ]);
  const [looked, pauses] = await Promise.all([overviewOf(operators, instances, maxAgeSeconds), pausesAsked]);
  const lettersPart = await sectionOf('Dead letters', () => letters(looked.sources, request));
  const [workersPart, doctorPart, settingsPart] = await others;
  return {
    title: 'Machinery',
    sections: {
      supervisors: html`<h2>Supervisors</h2>
        ${supervisors(looked, request)}`,
      actors: html`<h2>Actors</h2>
        ${actors(looked, request)}`,
      schedulers: html`<h2>Schedulers</h2>
        ${schedulers(looked, pauses, request)}`,
      events: html`<h2>Events</h2>
        ${sources(looked)}`,
      services: html`<h2>Services</h2>
        ${circuits(looked, request)}`,
      workers: workersPart,
      letters: lettersPart,
      doctor: doctorPart,
      settings: settingsPart,
    },
    command: ['rota', 'status'],
    liveMs: 2_000,
  };
}

function supervisors({ supervisors: answered, unanswered }: Overview, { access, at, now }: PageRequest): Html {
  const all = String(answered.length + unanswered.length);
  const rows = [
    ...answered.map((it) => [
      it.instance,
      state('good', 'answers'),
      it.version,
      html`<span title="since ${it.started_at}">${ageOf(it.started_at, now)}</span>`,
      it.pid,
      html`<data value="${it.rss_bytes}">${megabytes(it.rss_bytes)}</data>`,
      milliseconds(it.loop_p99_ms),
      actionButton(access, 'drain', 'Drain…', { instance: it.instance, all }, at),
    ]),
    ...unanswered.map(({ instance, why }) => [
      instance,
      html`${state('bad', 'no answer')} ${foreign(why)}`,
      '',
      '',
      '',
      '',
      '',
      '',
    ]),
  ];
  return tableOf(
    'Loop p99: how late the main thread is, but for the worst hundredth of the last seconds',
    ['Supervisor', 'State', 'Version', 'Up', 'Process', 'Memory', 'Loop p99', 'Do'],
    rows,
    { none: 'None answers.', cards: true },
  );
}

function milliseconds(ms: number): Html {
  return html`<data value="${ms}">${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms</data>`;
}

function actors(looked: Overview, request: PageRequest): Html {
  const all = looked.supervisors.flatMap(({ instance, actors: of }) => of.map((actor) => ({ instance, ...actor })));
  const none = figure(null);
  const rows = all.map((it) => [
    it.name,
    it.instance,
    html`${phaseState(it)}${it.retry_at !== null && html` again ${timeOf(it.retry_at, request.now)}`}`,
    figure(it.restarts),
    figure(it.thread?.mailbox.depth ?? null),
    secondsOf(it.thread === null || it.thread.mailbox.depth === 0 ? null : it.thread.mailbox.oldest_ms / 1_000),
    it.thread === null ? none : html`<data value="${it.thread.heap_bytes}">${megabytes(it.thread.heap_bytes)}</data>`,
    it.thread === null ? none : milliseconds(it.thread.loop_p99_ms),
    it.thread?.log_level ?? '–',
    foreign(it.last_failure?.message ?? null),
    deeds(it, request),
  ]);
  const table = tableOf(
    'One for each scheduler and supervisor',
    ['Actor', 'On', 'State', 'Restarts', 'Mailbox', 'Oldest', 'Heap', 'Loop p99', 'Log', 'Last failure', 'Do'],
    rows,
    {
      none: 'None runs: SCHEDULER_ACTORS.',
      keys: all.map(({ instance, name }) => `actor-${instance}-${name}`),
      cards: true,
    },
  );
  return html`${table} ${lanesOf(all)}`;
}

function phaseState({ phase, thread }: ActorView): Html {
  if (phase === 'running') return thread === null ? state('warn', 'busy: no answer') : state('good', phase);
  return state(phase === 'starting' || phase === 'draining' ? 'warn' : 'bad', phase);
}

function lanesOf(actors: readonly (ActorView & { readonly instance: string })[]): Html {
  const lanes = actors.flatMap(({ name, instance, thread }) =>
    (thread?.lanes ?? []).map((lane) => ({ name, instance, ...lane })),
  );
  return html`<details>
    <summary>Lanes of the mailboxes</summary>
    ${tableOf(
      'By kind of message',
      ['Actor', 'On', 'Kind', 'Queued', 'Waiting', 'In hand', 'Oldest', 'Done', 'Failed'],
      lanes.map((lane) => [
        lane.name,
        lane.instance,
        lane.kind,
        figure(lane.queued),
        figure(lane.waiting),
        figure(lane.in_hand),
        secondsOf(lane.oldest_ms === 0 ? null : lane.oldest_ms / 1_000),
        figure(lane.done),
        figure(lane.failed),
      ]),
      { none: 'No actor answers.', keys: lanes.map((lane) => `lane-${lane.instance}-${lane.name}-${lane.kind}`) },
    )}
  </details>`;
}

function deeds({ instance, name, thread }: ActorView & { readonly instance: string }, request: PageRequest): Html {
  const { access, at } = request;
  if (access !== 'operate') return html``;
  const fields = { instance, actor: name };
  const takes = (kind: string) => thread?.lanes.some((lane) => lane.kind === kind) === true;
  const level = thread?.log_level ?? null;
  return html`<div class="acts">
    ${actionButton(access, 'restart-actor', 'Restart…', fields, at)}
    <details>
      <summary aria-label="More for ${name} on ${instance}">⋯</summary>
      <div class="acts">
        ${takes('reschedule') && actionButton(access, 'reschedule', 'Look for due schedules', fields, at)}
        ${takes('look-for-new-boefjes') && actionButton(access, 'look', 'Look for enabled boefjes', fields, at)}
        ${logLevels
          .filter((it) => level !== null && it !== level)
          .map((it) => actionButton(access, 'log-level', `Log ${it}`, { ...fields, level: it, before: level }, at))}
        ${thread !== null && actionButton(access, 'heap', 'Heap snapshot…', { ...fields, bytes: String(thread.heap_bytes) }, at)}
        ${actionButton(access, 'kill-actor', 'Kill…', fields, at)}
      </div>
    </details>
  </div>`;
}

/** `pauses`: null where they are not known, and then both buttons are there. */
function schedulers(
  { schedulers: all }: Overview,
  pauses: readonly PauseView[] | null,
  { access, at }: PageRequest,
): Html {
  const flowCell = (it: SchedulerView) => {
    const { word, why } = flowOf(it, isPaused(it, pauses ?? []));
    return html`${state(flowLevels[word], word)}${why !== null && html` <span class="soft">${why}</span>`}`;
  };
  const rows = all.map((it) => [
    it.id,
    flowCell(it),
    figure(it.queued),
    figure(it.held, it.held_is_least),
    figure(it.leased),
    secondsOf(it.schedule_lag_seconds || null),
    html`<div class="acts">
      ${(pauses === null || isPaused(it, pauses)) && actionButton(access, 'resume', 'Resume…', { scheduler: it.id }, at)}
      ${(pauses === null || !isPaused(it, pauses)) && actionButton(access, 'pause', 'Pause…', { scheduler: it.id }, at)}
      ${actionButton(access, 'rerank', 'Rank anew…', { scheduler: it.id, queued: it.queued === null ? null : String(it.queued) }, at)}
    </div>`,
  ]);
  return tableOf(
    'What each queue holds',
    ['Scheduler', 'Flow', 'Queued', 'Held', 'At work', 'Schedules late', 'Do'],
    rows,
    {
      none: 'No scheduler is configured: SCHEDULER_ACTORS.',
      keys: all.map(({ id }) => `scheduler-${id}`),
      cards: true,
    },
  );
}
