import { type Work, workOf } from '../../control/what-if.ts';
import type { OrganisationDetails, OrganisationInScheduler } from '../../protocol/operator-organisations.ts';
import { fairCost } from '../../tasks/task.ts';
import { weightRange } from '../../tasks/limits.ts';
import { address, foreign, type Html, html } from '../html.ts';
import type { PageRequest } from '../page.ts';
import { figure, hiddenFields, percent, secondsOf, shareOf, state, tableOf, timeOf } from '../pieces.ts';

/** What an organisation has of the work of each scheduler, beside what it should have. */
export async function sharesOf(
  { operators, access, at }: PageRequest,
  { organisation: code, schedulers }: OrganisationDetails,
  instances: readonly string[],
): Promise<Html> {
  const works = await Promise.all(schedulers.map(({ scheduler }) => workOf(operators, instances, { scheduler })));
  const rows = schedulers.map((it, n) => [
    it.scheduler,
    figure(it.queued),
    figure(it.held, it.held_is_least),
    figure(it.at_work),
    secondsOf(it.oldest_seconds),
    it.fair === null ? html`<span class="none">–</span>` : weightOf(it.fair.weight),
    it.fair?.due_share == null ? html`<span class="none">–</span>` : percent(it.fair.due_share),
    gotOf(works[n]!, code),
    turnOf(it),
    ...(access === 'operate' ? [it.fair === null ? html`` : weightForm(it, code, at)] : []),
  ]);
  const head = ['Scheduler', 'Queued', 'Held', 'At work', 'Next waited', 'Weight', 'Its due', 'It got', 'Its turn'];
  const takesNone = schedulers.filter(({ fair }) => fair === null).map(({ scheduler }) => scheduler);
  return html`${tableOf(
    'By scheduler; what it got is of the last ten minutes, its due by weight among those that have something queued',
    [...head, ...(access === 'operate' ? ['Set weight'] : [])],
    rows,
    { none: 'No scheduler is configured: SCHEDULER_ACTORS.' },
  )}
  ${takesNone.length > 0 && html`<p class="soft">Organisations take no turns in ${takesNone.join(', ')}: no task was handed out by a fair ranker there.</p>`}`;
}

function weightOf(weight: number): Html {
  return html`${weight.toLocaleString('en', { maximumFractionDigits: 3 })}`;
}

function gotOf(work: Work, code: string): Html {
  const rate = work.of(code);
  return rate === null ? figure(null) : shareOf(rate, work.perSecond);
}

/** How many of its tasks lie between what is served now and its next one. */
function turnOf({ fair }: OrganisationInScheduler): Html {
  if (fair === null || fair.next_rank === null || fair.virtual_time === null) return html`<span class="none">–</span>`;
  const turns = ((fair.next_rank - fair.virtual_time) * fair.weight) / fairCost;
  const title = `Rank of its next task ${fair.next_rank.toLocaleString('en')}, virtual time ${fair.virtual_time.toLocaleString('en')}`;
  const says = turns <= 1 ? 'next' : `${Math.round(turns).toLocaleString('en')} turns ahead`;
  return html`<span title="${title}">${says}</span>`;
}

function weightForm({ scheduler, fair }: OrganisationInScheduler, code: string, back: string): Html {
  const { least, most } = weightRange;
  return html`<form method="post" action="/do/set-weight" class="inline">
    ${hiddenFields({ scheduler, organisation: code, back })}
    <input
      type="number"
      name="weight"
      aria-label="Weight of ${code} in ${scheduler}"
      min="${least}"
      max="${most}"
      step="any"
      value="${fair?.weight}"
      required
    /><button>Set…</button>
  </form>`;
}

/** Which boefjes wait, and which fail. */
export function samplesOf({ organisation: code, plugins: samples }: OrganisationDetails, now: number): Html {
  const of = (scheduler: string, key: 'queued' | 'ended') =>
    samples.filter((it) => it.scheduler === scheduler).reduce((sum, it) => sum + it[key], 0);
  const rows = samples.map((it) => [
    html`<a href="${address('/tasks', { organisation: code, scheduler: it.scheduler, plugin: it.plugin })}"
      >${foreign(it.plugin)}</a
    >`,
    it.scheduler,
    shareOf(it.queued, of(it.scheduler, 'queued')),
    it.ended === 0 ? figure(null) : figure(it.ended),
    it.ended === 0
      ? figure(null)
      : it.failed === 0
        ? html`<span class="soft">none</span>`
        : html`${state(it.failed * 2 > it.ended ? 'bad' : 'warn', percent(it.failed / it.ended))}`,
    timeOf(it.last_failed_at, now),
  ]);
  const head = ['Plug-in', 'Scheduler', 'Of the next', 'Ended', 'Failed of those', 'Last failed'];
  const caption =
    'A sample: of the next 1 000 queued tasks of each scheduler, and of the last 1 000 that completed or failed';
  return tableOf(caption, head, rows, { none: 'Nothing of it is queued, and nothing ended lately.' });
}
