import { statement } from '../../src/postgres/pool.ts';
import { countStatement, fewStatement, type KeysetSource, windowStatement } from '../../src/queue/lists/keyset.ts';
import { Conditions, lookedPageStatement } from '../../src/queue/lists/page.ts';
import { scheduleSource } from '../../src/queue/lists/schedule-search.ts';
import { taskSource } from '../../src/queue/lists/task-search.ts';
import { type Case, named } from './queue-statements.ts';

const some = '00000000-0000-4000-8000-000000000001';
const someKey = { at: '2100-01-01T00:00:00.000000Z', id: some };
const soonest = { at: '2000-01-01T00:00:00.000000Z', id: some };

/** The statements of a list that operators ask for: a page after some key, the first rows counted, and what may be few read whole. */
function listing(about: string, source: KeysetSource, { after = someKey, rows = named } = {}): readonly Case[] {
  const one = (name: string, { text, values }: { text: string; values: readonly unknown[] }): Case => {
    return { name: `${name} of ${about}`, byKey: 'anew', text, values: () => values, rows };
  };
  return [
    one('a window', windowStatement(source, after, named, named)),
    one('the count', countStatement(source, named)),
    ...(source.few === null ? [] : [one('all', fewStatement(source, source.few, { after, limit: 1 }, named))]),
  ];
}

/** A page over REST whose rows must be looked at. */
function looking(name: string, organisation: string): Case {
  const conditions = new Conditions();
  conditions.add(`t.scheduler_id = ${conditions.bind('boefje')}`);
  if (organisation !== '') conditions.add(`t.organisation = ${conditions.bind(organisation)}`);
  conditions.addLook(`t.status = 'QUEUED'`);
  const source = {
    from: 'tasks t',
    id: 't.id',
    createdAt: 't.created_at',
    table: 'tasks',
    json: 'rota_task_json',
  } as const;
  const bounds = { offset: 0, limit: named, filters: null, countPages: 1 };
  const { text, values } = lookedPageStatement(source, conditions, bounds, 10 * named);
  return { name, byKey: 'anew', text, values: () => values, rows: 2 * named };
}

const page = { after: null, limit: named };
const both = ['boefje', 'report'];

/** Those of lists of tasks and schedules. */
export const listCases: readonly Case[] = [
  ...listing('tasks', taskSource(page, [])),
  ...listing('a scheduler', taskSource({ ...page, schedulerId: 'boefje' }, ['boefje'])),
  ...listing('an organisation', taskSource({ ...page, organisation: 'rare', pluginId: 'none' }, both)),
  ...listing('queued tasks', taskSource({ ...page, status: 'queued' }, both)),
  ...listing('queued tasks of an organisation', taskSource({ ...page, status: 'queued', organisation: 'rare' }, both)),
  ...listing('queued tasks of a plug-in', taskSource({ ...page, status: 'queued', pluginId: 'none' }, both)),
  ...listing(
    'queued tasks with an OOI',
    taskSource({ ...page, status: 'queued', organisation: 'o1', ooiPart: 'none' }, both),
  ),
  // Under an old snapshot the leases that ended are read, too.
  ...listing('tasks of workers', taskSource({ ...page, status: 'running' }, both), { rows: 100 }),
  ...listing('failed tasks', taskSource({ ...page, status: 'failed', pluginId: 'none' }, both)),
  ...listing(
    'an OOI',
    taskSource({ ...page, schedulerId: 'boefje', organisation: 'rare', ooi: 'ooi-500' }, ['boefje']),
  ),
  ...listing('schedules', scheduleSource({ ...page, boefje: 'none' }, both), { after: soonest }),
  ...listing('late schedules', scheduleSource({ ...page, state: 'late' }, both), { after: soonest }),
  ...listing('disabled schedules', scheduleSource({ ...page, state: 'disabled' }, both), { after: soonest }),
  ...listing('schedules of an organisation', scheduleSource({ ...page, organisation: 'o1' }, both), { after: soonest }),
  looking('a page that looks', ''),
  looking('a page that looks, of an organisation', 'o1'),
  {
    name: 'schedulers of tasks',
    byKey: 'anew',
    text: statement('lists/schedulers-of').replaceAll('{table}', 'tasks'),
    values: () => [],
    rows: 2,
  },
];
