import { z } from 'zod';
import { failuresOf, moment, subjectOf } from '../../control/wording.ts';
import type { ScheduleView } from '../../protocol/operator-lists.ts';
import { cronFault, nextRun } from '../../tasks/cron.ts';
import { check, lengths, shortText } from '../../tasks/limits.ts';
import { address, each, foreign, type Html, html } from '../html.ts';
import { type Page, type PageRequest, parametersOf } from '../page.ts';
import { actionButton, sectionOf, state, tableOf, timeOf } from '../pieces.ts';
import { dueOf, enabledOf, everyOf } from './schedules.ts';

const runsShown = 5;
const tasksShown = 10;

const query = z.object({ cron: shortText(lengths.name).optional() });

/** `/schedules/:id`: when one thing runs again, why not, and how its last runs went. `?cron=`: when that would run. */
export async function schedule(request: PageRequest): Promise<Page> {
  const { operators, params } = request;
  const { cron } = parametersOf(query, request.query);
  const id = check(z.uuid(), params['id']);
  const found = await operators.ask('schedule-details', { id });
  const { plugin, ooi } = subjectOf(found.data);
  return {
    title: `Schedule of ${plugin ?? found.scheduler_id}${ooi === null ? '' : ` on ${ooi}`}`,
    sections: {
      schedule: details(found, request),
      timing: timing(found, cron, request),
      tasks: await sectionOf('Latest tasks', () => latest(found, request)),
    },
    command: ['rota', 'schedules', 'show', id],
    // What a person is about to save stays as it is.
    ...(cron === undefined ? { liveMs: 10_000 } : {}),
  };
}

function details(found: ScheduleView, { access, at, now }: PageRequest): Html {
  const { id, scheduler_id: scheduler, organisation, enabled } = found;
  const { plugin, ooi } = subjectOf(found.data);
  const act = (action: string, label: string) => actionButton(access, 'change-schedules', label, { action, id }, at);
  const why = address('/why', { id });
  return html`<dl>
      <dt>State</dt>
      <dd>${enabledOf(found)}${adviceOf(found)}</dd>
      <dt>Due</dt>
      <dd>
        ${dueOf(found, now)}
        <span class="soft">${moment(found.deadline_at)}${found.asked && ', asked for by a person'}</span>
      </dd>
      <dt>Every</dt>
      <dd>${everyOf(found)}</dd>
      <dt>Plug-in</dt>
      <dd>${foreign(plugin)}</dd>
      <dt>OOI</dt>
      <dd>${foreign(ooi)}</dd>
      <dt>Organisation</dt>
      <dd><a href="/organisations/${encodeURIComponent(organisation)}">${foreign(organisation)}</a></dd>
      <dt>Scheduler</dt>
      <dd>${scheduler}</dd>
      <dt>Failures</dt>
      <dd>${failuresOf(found.streak) ?? html`<span class="soft">the last run did not fail</span>`}</dd>
      <dt>Made</dt>
      <dd>${timeOf(found.created_at, now)}</dd>
    </dl>
    <div class="acts">
      ${enabled && act('run', 'Run now')} ${enabled ? act('disable', 'Disable') : act('enable', 'Enable')}
      <a href="${why}">Why does it not run?</a>
    </div>`;
}

const reasons: Readonly<Record<string, string>> = {
  person: 'it stays so until a person enables it',
  'boefje-gone': 'it comes back with its boefje',
  'boefje-disabled': 'it comes back when its boefje is enabled in Katalogus',
  'ooi-gone': 'it comes back with its OOI',
  'scan-level-too-low': 'it comes back when the clearance of its OOI is high enough',
  'organisation-gone': 'it comes back with its organisation',
  'run-on-only': 'its boefje runs on events alone',
  'cron-unreadable': 'its boefje’s cron cannot run: give it one of its own, or mend the boefje’s',
};

function adviceOf({ enabled, disabled_reason: why }: ScheduleView): Html {
  const advice = enabled || why === null ? undefined : reasons[why];
  return advice === undefined ? html`` : html` <span class="soft">${advice}</span>`;
}

/** Its next runs by the cron that it has, and by one that a person tries, before it is saved. */
function timing(
  { id, schedule: own, inherited }: ScheduleView,
  tried: string | undefined,
  { access, now }: PageRequest,
): Html {
  const here = `/schedules/${id}`;
  const [cron, isTried] = tried === undefined ? [own, false] : [tried, true];
  const fault = cron === null ? null : cronFault(cron, new Date(now));
  const form = html`<form class="filter" action="${here}">
    <label
      >Cron, in UTC: five to seven fields, or @daily
      <input name="cron" value="${cron}" required maxlength="500" autocomplete="off" spellcheck="false" /></label
    ><button>Show its next runs</button>
  </form>`;
  const save = html`<div class="acts">
    ${actionButton(access, 'set-cron', 'Save this cron', { id, cron }, here)} <a href="${here}">Leave it</a>
  </div>`;
  return html`<h2>When it runs</h2>
    ${cron === null && html`<p class="soft">It has no cron: its boefje’s interval or the default one decides.</p>`}
    ${cron !== null && fault !== null && html`<p role="alert">${state('bad', 'This cron cannot be used')}: ${foreign(fault)}</p>`}
    ${cron !== null && fault === null && runsOf(cron, now, isTried)} ${isTried && fault === null && save}
    ${access === 'operate' && form}
    ${access === 'operate' && own !== null && !inherited && !isTried && html`<div class="acts">${actionButton(access, 'set-cron', 'Take its cron away', { id }, here)}</div>`}`;
}

function runsOf(cron: string, now: number, isTried: boolean): Html {
  const runs: Date[] = [];
  try {
    for (let at = new Date(now); runs.length < runsShown; runs.push(at)) at = nextRun(cron, at);
  } catch {
    // Its years are over.
  }
  return html`<p>${isTried ? 'It would run next' : 'By its cron'} <code>${cron}</code>, in UTC:</p>
    <ol>
      ${each(runs, (run) => html`<li>${moment(run.toISOString())} <span class="soft">${timeOf(run.toISOString(), now)}</span></li>`)}
    </ol>`;
}

async function latest(found: ScheduleView, { operators, now }: PageRequest): Promise<Html> {
  const { scheduler_id: scheduler, organisation } = found;
  const { plugin, ooi } = subjectOf(found.data);
  const { results, next } = await operators.ask('tasks', {
    scheduler,
    organisation,
    ...(plugin === null ? {} : { plugin }),
    ...(ooi === null ? {} : { whole_ooi: ooi }),
    limit: tasksShown,
  });
  const rows = results.map(({ id, status, created_at: made, modified_at: changed }) => [
    html`<a href="/tasks/${id}">${status}</a>`,
    timeOf(made, now),
    timeOf(changed, now),
  ]);
  const more = address('/tasks', { scheduler, organisation, plugin, ooi });
  return html`${tableOf('Newest first', ['Status', 'Made', 'Last changed'], rows, { none: 'It has made no task that is still kept.' })}
  ${next !== null && html`<p><a href="${more}">more</a></p>`}`;
}
