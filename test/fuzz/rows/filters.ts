import { setTimeout as delay } from 'node:timers/promises';
import { jsonpaths } from '../jsonpaths.ts';
import { query } from '../stage.ts';
import { type Actor, unlessAnswered, unlessRefused } from './actor.ts';
import type { Row } from './row.ts';

const ilike = (value: string) => ({ column: 'data', field: 'input_ooi', operator: 'ilike', value });
const ilikes = (count: number) => Array.from({ length: count }, (_, at) => ilike(`%${at}x${at}y%z%`));

async function activeFor({ target }: Actor, seconds: number): Promise<string | undefined> {
  const [found] = await query<{ count: number; longest: number }>(
    target.databaseUrl,
    `SELECT count(*)::int AS count, extract(epoch FROM max(clock_timestamp() - query_start))::int AS longest FROM pg_stat_activity
      WHERE state = 'active' AND pid <> pg_backend_pid() AND backend_type = 'client backend'
        AND clock_timestamp() - query_start > make_interval(secs => $1)`,
    [seconds],
  );
  return found!.count === 0 ? undefined : `${found!.count} statements run for ${found!.longest} s already`;
}

/** Filters that cost more than they weigh. */
export const filterRows: readonly Row[] = [
  {
    name: 'invalid-jsonpath',
    about: 'values of `@?` and `@@` that are no jsonpath, on pops and lists, over REST and NATS',
    async play(actor) {
      const faults: (string | undefined)[] = [];
      for (const value of jsonpaths) {
        for (const operator of ['@?', '@@']) {
          const filters = {
            filters: [{ column: 'data', field: 'boefje', operator, value: operator === '@@' ? `$${value}` : value }],
          };
          const answers = await Promise.all([
            actor.rest('POST', '/tasks', filters),
            actor.rest('POST', '/schedulers/boefje/pop', filters),
            actor.ask('pop.boefje', { filters }),
          ]);
          faults.push(...answers.map(({ fault }) => fault));
        }
      }
      return faults;
    },
  },
  {
    name: 'ilike-pops',
    about: 'filtered pops with 300 ILIKEs, and as many of 100, that match nothing',
    async play(actor) {
      const ready = actor.watchReady();
      const answers = await Promise.all(
        [300, 100].flatMap((count) =>
          Array.from({ length: 5 }, () => actor.ask('pop.boefje', { limit: 1, filters: { filters: ilikes(count) } })),
        ),
      );
      const rest = await actor.rest('POST', '/schedulers/boefje/pop', { filters: ilikes(100) });
      return [...[...answers, rest].map(({ fault }) => fault), ready()];
    },
  },
  {
    name: 'ilike-lists',
    about: 'fourteen lists with two ILIKEs, all at once, again and again',
    async play(actor) {
      const ready = actor.watchReady();
      const answers = await Promise.all(
        Array.from({ length: 14 }, () => actor.rest('POST', '/tasks', { filters: ilikes(2) })),
      );
      return [...answers.map(({ fault }) => fault), ready()];
    },
  },
  {
    name: 'distinct-filters',
    about: '5 000 waiting pops with a filter each from one connection, while others push',
    once: true,
    async play(actor) {
      const { client } = actor;
      const polls = Array.from({ length: 5_000 }, (_, at) =>
        actor.ask('pop.boefje', { wait_ms: 6_000, filters: { filters: [ilike(`%absent-${at}%`)] } }, 6_000),
      );
      const until = performance.now() + 6_000;
      const { organisation } = actor.target;
      for (let at = 0; performance.now() < until; at += 1) {
        const data = {
          boefje: { id: 'nmap' },
          input_ooi: `Hostname|internet|pushed-${at}.nl`,
          organization: organisation,
        };
        await client.push('boefje', { organisation, data }).catch(() => {});
        await delay(50);
      }
      const answers = await Promise.all(polls);
      return answers.map(({ fault }) => fault);
    },
  },
  {
    name: 'many-conditions',
    about: 'a filter of 20 000 or-ed conditions, and groups of them',
    once: true,
    spoils: true,
    async play(actor) {
      const conditions = Array.from({ length: 20_000 }, (_, at) => ({
        column: 'organisation',
        operator: '==',
        value: `o${at}`,
      }));
      const filters = { filters: { or: conditions } };
      const answers = await Promise.all([
        actor.rest('POST', '/tasks', filters),
        actor.rest('POST', '/tasks', { filters: { or: ilikes(20_000) } }),
        actor.rest('POST', '/schedulers/boefje/pop', filters),
        actor.rest('POST', '/schedules/search', { filters: { not: conditions, and: conditions.slice(0, 10) } }),
        actor.ask('pop.boefje', { filters: { filters: { or: conditions.slice(0, 14_000) } } }),
      ]);
      await delay(3_000);
      return [...answers.map((answer) => unlessRefused(answer, 'the filter')), await activeFor(actor, 10)];
    },
  },
  {
    name: 'long-lists',
    heavy: true,
    about: '`in` of 10 000 values, which is allowed, and of 100 000, which is not',
    async play(actor) {
      const values = Array.from({ length: 100_000 }, (_, at) => `o${at}`);
      const filters = (value: readonly string[]) => ({ filters: [{ column: 'organisation', operator: 'in', value }] });
      return [
        unlessAnswered(await actor.rest('POST', '/tasks', filters(values.slice(0, 10_000)))),
        unlessRefused(await actor.rest('POST', '/tasks', filters(values)), 'a list of 100 000'),
        unlessRefused(await actor.ask('pop.report', { filters: filters(values.slice(0, 80_000)) }), 'a list of 80 000'),
      ];
    },
  },
];
