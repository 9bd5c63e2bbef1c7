import { z } from 'zod';
import { cursor, listedText } from '../control/paging.ts';
import { lengths } from '../tasks/limits.ts';
import { taskStatuses } from '../tasks/task.ts';

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
