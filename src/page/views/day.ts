import { RotaError } from '../../errors.ts';
import { moment } from '../../control/wording.ts';
import { type Incidents, incidentsOf } from '../../control/overview.ts';
import type { DayView } from '../../protocol/operator-organisations.ts';
import type { AuditView, IncidentView } from '../../protocol/operator-status.ts';
import { barChart, lastHours } from '../chart.ts';
import { address, each, foreign, type Html, html } from '../html.ts';
import type { Page, PageRequest } from '../page.ts';
import { figure, percentOf, sectionOf, shareOf, state, tableOf, timeOf } from '../pieces.ts';

const title = 'The last 24 hours';
const hourMs = 3_600_000;
/** Entries of the audit, and incidents, that the day is marked with. */
const mostMarked = 200;

/** `/organisations?at=`: the last 24 hours, and one of them: whose tasks ended, what people did and what broke. */
export async function day(request: PageRequest, at: string): Promise<Page> {
  const { operators, now } = request;
  const hours = lastHours(now);
  const chosen = hourOf(at, hours);
  // The slider has a number: an address that lasts has the hour.
  if (at !== chosen) return { title, sections: {}, goTo: addressOf(chosen) };
  const [known, { results: people }, broken] = await Promise.all([
    operators.ask('day', {}),
    operators.ask('audit', { limit: mostMarked, max_age_seconds: 5 }),
    incidentsOf(operators, await operators.instances(), { limit: mostMarked, max_age_seconds: 5 }),
  ]);
  const within = <T extends { readonly at: string }>(all: readonly T[]) => all.filter(isWithin(chosen));
  const did = people.filter(({ refused }) => refused === null);
  const next = hours[hours.indexOf(chosen) + 1];
  const before = hours[hours.indexOf(chosen) - 1];
  return {
    title,
    sections: {
      day: await sectionOf('By the hour', async () => chartOf(known, hours, { chosen, did, broken: broken.results })),
      hour: html`<h2>${words(chosen)}</h2>
        <p class="pages">
          ${before !== undefined && html`<a rel="prev" href="${addressOf(before)}">‹ an hour before</a>`}
          ${next !== undefined && html`<a rel="next" href="${addressOf(next)}">an hour later ›</a>`}
        </p>
        ${endedIn(known, chosen)}`,
      people: html`<h2>Done by people in that hour</h2>
        ${actionsIn(within(people), now, 'No person changed anything in that hour.', clockOf)}
        ${reaches(people, chosen)}`,
      trouble: html`<h2>Trouble in that hour</h2>
        ${incidentsIn(within(broken.results), now, 'Nothing broke in that hour.', clockOf)} ${missingIn(broken)}
        ${reaches(broken.results, chosen)}`,
    },
    command: ['rota', 'incidents'],
  };
}

/** @throws RotaError INVALID_REQUEST, NOT_FOUND for an hour that is not one of the last 24 */
function hourOf(at: string, hours: readonly string[]): string {
  const given = /^\d{1,9}$/.test(at) ? Number(at) * hourMs : Date.parse(at);
  if (Number.isNaN(given))
    throw new RotaError('INVALID_REQUEST', 'at: expected an hour such as 2026-03-02T14:00:00.000Z');
  const found = hours.find((hour) => Math.floor(given / hourMs) === numberOf(hour));
  if (found === undefined) throw new RotaError('NOT_FOUND', 'at: only the last 24 hours are counted by the hour');
  return found;
}

const numberOf = (hour: string) => Math.floor(Date.parse(hour) / hourMs);
const addressOf = (hour: string) => address('/organisations', { at: hour });
const isWithin = (hour: string) => (it: { readonly at: string }) => numberOf(it.at) === numberOf(hour);

function words(hour: string): string {
  return `${hour.slice(0, 10)} ${hour.slice(11, 13)}:00 to ${hour.slice(11, 13)}:59 UTC`;
}

interface Marked {
  readonly chosen: string;
  readonly did: readonly AuditView[];
  readonly broken: readonly IncidentView[];
}

function chartOf(
  { hours: known, cut }: DayView,
  hours: readonly string[],
  { chosen, did: people, broken }: Marked,
): Html {
  const bars = hours.map((hour) => {
    const of = known.find((it) => numberOf(it.hour) === numberOf(hour));
    const did = people
      .filter(isWithin(hour))
      .map(({ at, by, command }) => `${at.slice(11, 16)} ${by ?? 'an unknown operator'}: ${command}`);
    const broke = broken
      .filter(isWithin(hour))
      .map(({ at, about, happened }) => `${at.slice(11, 16)} ${about} ${happened}`);
    return {
      label: `${hour.slice(11, 16)} UTC`,
      values: [of?.completed ?? 0, of?.failed ?? 0],
      marks: [...did, ...broke],
      chosen: hour === chosen,
    };
  });
  const series = [
    { name: 'completed', css: 'done' },
    { name: 'failed', css: 'failed' },
  ] as const;
  return html`${barChart('Tasks of all organisations by the hour of their end', 'tasks in 24 hours', series, bars, { marks: 'people acted, or something broke', axis: choiceOf(hours, chosen) })}
  ${cut && html`<p class="soft">There are more organisations than are read: the oldest hours are not whole.</p>`}`;
}

/** A link below each bar, and a slider, for one of them. */
function choiceOf(hours: readonly string[], chosen: string): Html {
  return html`<nav class="hours" aria-label="Hours, UTC">
      ${each(hours, (hour) => html`<a href="${addressOf(hour)}" ${hour === chosen && html`aria-current="true"`} title="${words(hour)}">${hour.slice(11, 13)}</a>`)}
    </nav>
    <form class="filter" action="/organisations">
      <label class="slide"
        ><span class="sr">Hour, UTC</span>
        <input
          type="range"
          name="at"
          min="${numberOf(hours[0]!)}"
          max="${numberOf(hours.at(-1)!)}"
          value="${numberOf(chosen)}"
          aria-valuetext="${words(chosen)}"
          data-submit
      /></label>
      <button>Show</button>
      <a href="/organisations">what waits now</a>
    </form>`;
}

function endedIn({ hours }: DayView, chosen: string): Html {
  const of = hours.find((it) => numberOf(it.hour) === numberOf(chosen));
  const total = (of?.completed ?? 0) + (of?.failed ?? 0);
  const rows = (of?.largest ?? []).map(({ organisation, completed, failed }) => [
    html`<a href="/organisations/${encodeURIComponent(organisation)}">${foreign(organisation)}</a>`,
    figure(completed),
    figure(failed),
    percentOf(failed, completed + failed),
    shareOf(completed + failed, total),
  ]);
  const others = (of?.organisations ?? 0) - rows.length;
  return html`${tableOf('Organisations by tasks that ended', ['Organisation', 'Completed', 'Failed', 'Failure rate', 'Of the work'], rows, { none: 'No task ended in that hour.' })}
  ${others > 0 && html`<p class="soft">And ${figure(others)} organisations with fewer.</p>`}`;
}

/** Where the entries that were read begin after the hour. */
function reaches(all: readonly { readonly at: string }[], hour: string): Html {
  const oldest = all.at(-1);
  if (all.length < mostMarked || oldest === undefined || Date.parse(oldest.at) <= Date.parse(hour)) return html``;
  return html`<p class="soft">Of the newest ${mostMarked} alone, which go back to ${moment(oldest.at)}.</p>`;
}

/** How a time is shown. */
type When = (timestamp: string, now: number) => Html;

/** `18:32:19`, where the hour is known: an age would count on from now. */
function clockOf(timestamp: string): Html {
  return html`<span class="whole" title="${moment(timestamp)}">${timestamp.slice(11, 19)}</span>`;
}

/** What people did. */
export function actionsIn(results: readonly AuditView[], now: number, none: string, when: When = timeOf): Html {
  const rows = results.map(({ at, by, command, organisation, fields, refused }) => [
    when(at, now),
    foreign(by),
    html`${command}${refused !== null && html` ${state('bad', refused)}`}`,
    foreign(organisation),
    foreign(typeof fields['note'] === 'string' ? fields['note'] : null),
  ]);
  return tableOf('What people did', ['When', 'Who', 'Did', 'Organisation', 'Note'], rows, {
    none,
    keys: results.map(({ id }) => `did-${id}`),
  });
}

/** What is not known of incidents, and why. */
export function missingIn({ unknown, unanswered }: Incidents): Html {
  if (unknown === null) return html``;
  const silent = unanswered.map(({ instance }) => instance).join(', ');
  return html`<p>
    ${state('warn', unknown)}: this is what the supervisors remember since their
    start${silent !== '' && html`, without ${silent}, which did not answer`}.
  </p>`;
}

const levels: Partial<Record<IncidentView['happened'], 'good' | 'idle'>> = {
  started: 'good',
  closed: 'good',
  connected: 'good',
  back: 'good',
  ended: 'idle',
};

/** What broke, and its end. */
export function incidentsIn(results: readonly IncidentView[], now: number, none: string, when: When = timeOf): Html {
  const rows = results.map(({ at, about, happened, why, instance }) => [
    when(at, now),
    html`${about} ${state(levels[happened] ?? 'bad', happened)}`,
    foreign(why),
    instance,
  ]);
  const keys = results.map(({ id }) => `broke-${id}`);
  return tableOf('What broke, and its end', ['When', 'What', 'Why', 'On'], rows, { none, keys });
}
