import { flowOf, isPaused } from '../../control/flow.ts';
import { overviewOf } from '../../control/overview.ts';
import { doneBy } from '../../control/what-if.ts';
import { moment } from '../../control/wording.ts';
import type { OrganisationDetails, OrganisationInScheduler } from '../../protocol/operator-organisations.ts';
import type { AuditView, SchedulerView } from '../../protocol/operator-status.ts';
import type { PauseView } from '../../protocol/operator.ts';
import { barChart, lastHours } from '../chart.ts';
import { address, each, foreign, type Html, html } from '../html.ts';
import type { Page, PageRequest } from '../page.ts';
import { actionButton, figure, hiddenFields, sectionOf, state, tableOf, timeOf } from '../pieces.ts';
import { samplesOf, sharesOf } from './organisation-shares.ts';

const mostEntries = 20;
/** Entries of the audit that the chart of the day marks. */
const mostMarked = 200;

/** `/organisations/:code`: what waits, whether it has its share, what fails, and who did what. */
export async function organisation(request: PageRequest): Promise<Page> {
  const { operators, now, params, maxAgeSeconds } = request;
  const code = params['code']!;
  const instances = await operators.instances();
  const [details, looked, { results: allPauses }, { results: people }] = await Promise.all([
    operators.ask('organisation', { organisation: code, max_age_seconds: maxAgeSeconds }),
    overviewOf(operators, instances, maxAgeSeconds),
    operators.ask('pauses', {}),
    operators.ask('audit', { organisation: code, limit: mostMarked }),
  ]);
  const pauses = allPauses.filter((pause) => (pause.organisation ?? code) === code);
  const shown = { request, code, details, schedulers: looked.schedulers, pauses };
  return {
    title: code,
    sections: {
      summary: await sectionOf('Now', () => summary(shown)),
      day: html`<h2>The last 24 hours</h2>
        ${day(details, people, now)}`,
      shares: await sectionOf('Share of the work', () => sharesOf(request, details, instances)),
      boefjes: html`<h2>Boefjes</h2>
        ${samplesOf(details, now)}`,
      pauses: html`<h2>Pauses</h2>
        ${pausesOf(shown)}`,
      people: html`<h2>Done by people here</h2>
        ${peopleOf(people, now)}`,
      remove: removal(shown),
    },
    command: ['rota', 'queue', '--by', 'organisation'],
    liveMs: 2_000,
  };
}

interface Shown {
  readonly request: PageRequest;
  readonly code: string;
  readonly details: OrganisationDetails;
  readonly schedulers: readonly SchedulerView[];
  /** Those that hold anything of it. */
  readonly pauses: readonly PauseView[];
}

async function summary({ request, code, details, schedulers, pauses }: Shown): Promise<Html> {
  const { operators, now } = request;
  const total = (key: 'queued' | 'held' | 'at_work') => details.schedulers.reduce((sum, it) => sum + it[key], 0);
  const failed = details.hours.reduce((sum, { failed }) => sum + failed, 0);
  const [queued, held] = [total('queued'), total('held')];
  const most = details.schedulers.toSorted((a, b) => b.queued - a.queued)[0];
  const links = [
    ['Tasks', address('/tasks', { organisation: code })],
    ['What failed', address('/tasks', { organisation: code, status: 'failed' })],
    ['Schedules', address('/schedules', { organisation: code })],
    ['Why does something not run?', address('/why', { organisation: code })],
  ] as const;
  return html`${!details.known && html`<p>${state('warn', 'Nothing of it was ever seen here')}: neither a task nor in Katalogus.</p>`}
    <dl class="figures">
      <div>
        <dt>Waiting</dt>
        <dd>${figure(queued - held)}</dd>
      </div>
      <div>
        <dt>Held</dt>
        <dd>
          ${figure(
            held,
            details.schedulers.some((it) => it.held_is_least),
          )}
        </dd>
      </div>
      <div>
        <dt>At work</dt>
        <dd>${figure(total('at_work'))}</dd>
      </div>
      <div>
        <dt>Failed in 24 h</dt>
        <dd>${figure(failed)}</dd>
      </div>
      <div>
        <dt>Next starts</dt>
        <dd>${nextOf(details.schedulers, schedulers, pauses, now)}</dd>
      </div>
      <div>
        <dt>All done about</dt>
        <dd>${most === undefined ? figure(null) : await allDone(operators, code, most, schedulers, now)}</dd>
      </div>
    </dl>
    <ul class="words">
      ${each(links, ([name, to]) => html`<li><a href="${to}">${name}</a></li>`)}
    </ul>`;
}

function nextOf(
  queues: readonly OrganisationInScheduler[],
  schedulers: readonly SchedulerView[],
  pauses: readonly PauseView[],
  now: number,
): Html {
  const waiting = queues.filter(({ next }) => next !== null);
  if (waiting.length === 0) return queues.some(({ queued }) => queued > 0) ? html`never: held` : figure(null);
  const starts = waiting.flatMap(({ next }) => (next!.estimated_start_at === null ? [] : [next!.estimated_start_at]));
  const [first] = starts.toSorted();
  if (first !== undefined) return Date.parse(first) - now < 2_000 ? html`now` : timeOf(first, now);
  const of = schedulers.find(({ id }) => id === waiting[0]!.scheduler);
  const why = of === undefined ? null : flowOf(of, isPaused(of, pauses)).why;
  return html`unknown${why !== null && html`: <span class="soft">${why}</span>`}`;
}

/** Of the scheduler in which most of it waits. */
async function allDone(
  operators: PageRequest['operators'],
  code: string,
  { scheduler, queued, held, fair }: OrganisationInScheduler,
  schedulers: readonly SchedulerView[],
  now: number,
): Promise<Html> {
  const rate = schedulers.find(({ id }) => id === scheduler)?.per_second ?? null;
  if (queued - held <= 0) return figure(null);
  if (rate === null) return html`unknown`;
  const all = await operators.ask('organisations', { scheduler, limit: 500, max_age_seconds: 5 });
  const seconds = doneBy(all, scheduler, rate, fair !== null).get(code);
  return seconds === undefined ? html`unknown` : timeOf(new Date(now + seconds * 1_000).toISOString(), now);
}

/** By hour; what people did stands above the bars. */
function day({ hours }: OrganisationDetails, people: readonly AuditView[], now: number): Html {
  const bars = lastHours(now).map((hour) => {
    const of = hours.filter((it) => Date.parse(it.hour) === Date.parse(hour));
    const total = (key: 'completed' | 'failed') => of.reduce((sum, it) => sum + it[key], 0);
    const marks = people
      .filter(({ at, refused }) => refused === null && hourOf(at) === Date.parse(hour))
      .map(({ at, by, command }) => `${at.slice(11, 16)} ${by ?? 'an unknown operator'}: ${command}`);
    return { label: `${hour.slice(11, 16)} UTC`, values: [total('completed'), total('failed')], marks };
  });
  const series = [
    { name: 'completed', css: 'done' },
    { name: 'failed', css: 'failed' },
  ] as const;
  return barChart('Tasks by hour of their end', 'tasks in 24 hours', series, bars);
}

function hourOf(timestamp: string): number {
  return Math.floor(Date.parse(timestamp) / 3_600_000) * 3_600_000;
}

function pausesOf({ request, code, details, pauses }: Shown): Html {
  const { access, at, now } = request;
  const rows = pauses.map(({ scheduler, organisation: of, boefje, paused_by: by, note, since }) => [
    scheduler,
    of === null ? 'every organisation' : 'this one',
    boefje === null ? 'every boefje' : foreign(boefje),
    foreign(by),
    timeOf(since, now),
    foreign(note),
    ...(access === 'operate'
      ? [actionButton(access, 'resume', 'Resume', { scheduler, organisation: of, boefje }, at)]
      : []),
  ]);
  const head = ['Scheduler', 'Organisation', 'Boefje', 'By', 'Since', 'Note', ...(access === 'operate' ? ['Do'] : [])];
  const form = html`<form method="post" action="/do/pause" class="filter">
    ${hiddenFields({ organisation: code, back: at })}
    <label
      >Scheduler
      <select name="scheduler">
        ${each(details.schedulers, ({ scheduler }) => html`<option>${scheduler}</option>`)}
      </select></label
    >
    <label>Only this boefje (none: all) <input name="boefje" maxlength="1024" autocomplete="off" /></label>
    <button>Pause…</button>
  </form>`;
  return html`${tableOf('What holds tasks of it', head, rows, { none: 'Nothing of it is paused.' })}
  ${access === 'operate' && form}`;
}

function peopleOf(entries: readonly AuditView[], now: number): Html {
  const rows = entries
    .slice(0, mostEntries)
    .map(({ at, by, command, fields, refused }) => [
      html`<span title="${moment(at)}">${timeOf(at, now)}</span>`,
      foreign(by),
      html`${command}${refused !== null && html` ${state('bad', refused)}`}`,
      foreign(typeof fields['scheduler'] === 'string' ? fields['scheduler'] : null),
      foreign(typeof fields['note'] === 'string' ? fields['note'] : null),
    ]);
  return tableOf('The last actions on this organisation', ['When', 'Who', 'Did', 'Scheduler', 'Note'], rows, {
    none: 'Nobody paused, weighted or purged it in the last 90 days.',
  });
}

function removal({ request: { access, at }, code }: Shown): Html {
  if (access !== 'operate') return html``;
  return html`<h2>Remove</h2>
    <div class="acts">
      ${actionButton(access, 'purge', 'Purge…', { organisation: code }, at)}
      <span class="soft"
        >for an organisation that is gone from KAT: cancels what is queued of it, deletes its schedules and ends its
        pauses</span
      >
    </div>`;
}
