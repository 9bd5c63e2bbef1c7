import { z } from 'zod';
import { cursor, listedText } from '../control/paging.ts';
import { lengths } from '../tasks/limits.ts';
import { type TaskStatus, taskStatuses } from '../tasks/task.ts';
import { address, each, type Html, html } from './html.ts';
import type { PageRequest } from './page.ts';
import { figure, hiddenFields } from './pieces.ts';
import { statusOf } from './task-rows.ts';

/** Which tasks a list or a bulk job is about, as addresses and forms have it. */

/** As a field for dates gives it, `2026-11-24T12:00`, or with seconds and a zone; without one it is UTC. */
const moment = z
  .string()
  .transform((text) => (/^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00` : text))
  .transform((text) => (/T\d{2}:\d{2}$/.test(text) ? `${text}:00` : text))
  .transform((text) => (/T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?$/.test(text) ? `${text}Z` : text))
  .pipe(z.iso.datetime({ offset: true, error: 'expected a time such as 2026-11-24T12:00, in UTC' }));

export const taskFilter = z.object({
  status: z.enum(taskStatuses).optional(),
  scheduler: listedText(lengths.name).optional(),
  organisation: listedText(lengths.organisation).optional(),
  plugin: listedText(lengths.name).optional(),
  /** A part of its reference. */
  ooi: listedText(lengths.ooi).optional(),
  from: moment.optional(),
  to: moment.optional(),
});

export type TaskFilter = z.output<typeof taskFilter>;

/** Of an address; the command takes it as the text that it is. */
export const cursorText = z.string().refine((text) => cursor.safeParse(text).success, 'expected a link of this page');

/** `of org-7 and nmap, made until …`; '' for all. */
export function filterWords({ scheduler, organisation, plugin, ooi, from, to }: TaskFilter): string {
  const words = [
    organisation !== undefined && `of ${organisation}`,
    scheduler !== undefined && `of the scheduler ${scheduler}`,
    plugin !== undefined && `of ${plugin}`,
    ooi !== undefined && `on OOIs with “${ooi}”`,
    from !== undefined && `made since ${from}`,
    to !== undefined && `made until ${to}`,
  ];
  return words.filter((word) => word !== false).join(' ');
}

/** As options of the command line. */
export function filterOptions({ plugin, ...filter }: TaskFilter): readonly string[] {
  return Object.entries({ ...filter, boefje: plugin }).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}`, value],
  );
}

/** Names that a field suggests. */
const suggested = 100;

/** Totals are of schedulers: no roll-up has them by what else one may ask for. */
export async function statusWords({ operators }: PageRequest, filter: TaskFilter): Promise<Html> {
  const { results } = await operators.ask('task-totals', {});
  const { status: chosen, scheduler, ...others } = filter;
  const counted = results.filter((one) => scheduler === undefined || one.scheduler === scheduler);
  const isWhole = Object.values(others).every((value) => value === undefined);
  const word = (status: TaskStatus | undefined) => {
    const total = counted.reduce((sum, one) => sum + (status === undefined ? 0 : one[status]), 0);
    const link = address('/tasks', { ...filter, status });
    return html`<li>
      <a href="${link}" ${status === chosen && html`aria-current="true"`}
        >${status === undefined ? 'all' : statusOf(status)}</a
      >
      ${isWhole && status !== undefined && figure(total)}
    </li>`;
  };
  return html`<h2 class="sr">By status</h2>
    <ul class="words statuses">
      ${each([undefined, ...taskStatuses], word)}
    </ul>`;
}

export async function filterForm({ operators }: PageRequest, filter: TaskFilter): Promise<Html> {
  const names = async (kind: 'scheduler' | 'organisation' | 'boefje') => {
    // Suggestions: the field takes any name without them.
    const found = await operators
      .ask('names', { kind, limit: suggested })
      .catch(() => ({ results: [] as readonly string[] }));
    return found.results;
  };
  const [schedulers, organisations, plugins] = await Promise.all([
    names('scheduler'),
    names('organisation'),
    names('boefje'),
  ]);
  const { status, scheduler, organisation, plugin, ooi, from, to } = filter;
  const known = scheduler === undefined || schedulers.includes(scheduler) ? schedulers : [...schedulers, scheduler];
  return html`<h2 class="sr">Filter</h2>
    <form class="filter" action="/tasks">
      ${hiddenFields({ status })}
      <label
        >Scheduler
        <select name="scheduler">
          <option value="">all</option>
          ${each(known, (name) => html`<option value="${name}" ${name === scheduler && html`selected`}>${name}</option>`)}
        </select>
      </label>
      <label
        >Organisation <input name="organisation" list="organisations" value="${organisation}" maxlength="512" size="9"
      /></label>
      <label>Plug-in <input name="plugin" list="plugins" value="${plugin}" maxlength="1024" size="10" /></label>
      <label>OOI contains <input name="ooi" value="${ooi}" maxlength="2048" size="18" /></label>
      <label>Made from (UTC) <input type="datetime-local" name="from" value="${from?.slice(0, 16)}" /></label>
      <label>to (UTC) <input type="datetime-local" name="to" value="${to?.slice(0, 16)}" /></label>
      <button class="main">Filter</button>
      <a href="${address('/tasks', { status })}">clear</a>
    </form>
    <datalist id="organisations">${each(organisations, (name) => html`<option value="${name}"></option>`)}</datalist>
    <datalist id="plugins">${each(plugins, (name) => html`<option value="${name}"></option>`)}</datalist>`;
}
