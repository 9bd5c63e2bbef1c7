import { type Sql, statement } from '../../src/postgres/pool.ts';

/** A deliberate fault of the mechanism: a race that has it is to be seen to exceed a limit. */
export interface Fault {
  readonly name: string;
  /** The kinds of race that are to see it. */
  readonly seenBy: readonly ('tight' | 'wide')[];
  /** The violation that shows it. */
  readonly told: RegExp;
  /** In the releaser's statements, by their names. */
  readonly statements?: Readonly<Record<string, readonly (readonly [was: string, becomes: string])[]>>;
  /** In the functions of the database. */
  readonly functions?: Readonly<Record<string, readonly [was: string, becomes: string]>>;
}

const exceeded = /over its rate|at once of/;

export const faults: readonly Fault[] = [
  {
    name: 'a claim that is not folded yet takes no room',
    seenBy: ['tight'],
    told: exceeded,
    functions: { rota_limit_states: ['- t.admitted - t.unfolded AS by_rate', '- t.admitted AS by_rate'] },
  },
  {
    name: 'the fold takes more than it counts: the claims of one statement are one',
    seenBy: ['tight'],
    told: exceeded,
    statements: { 'limits/fold': [['count(DISTINCT (gone.unit, gone.xact))', 'count(DISTINCT gone.xact)']] },
  },
  {
    name: 'room is counted for each key of a pass by itself',
    seenBy: ['tight', 'wide'],
    told: exceeded,
    statements: { 'limits/admit': [['PARTITION BY k.key ORDER', 'PARTITION BY k.key, l.key ORDER']] },
  },
  {
    name: 'a claim leaves nothing that says that it runs',
    seenBy: ['tight', 'wide'],
    told: exceeded,
    functions: { rota_limited_leaves: ['IF claimed THEN', 'IF false THEN'] },
  },
  {
    name: 'a claim is booked for when its statement began',
    seenBy: ['tight'],
    told: /booked for another moment/,
    functions: {
      rota_limited_leaves: [
        'INSERT INTO limit_changes (key, unit, spent) SELECT k.key, unit_of, claimed FROM',
        'INSERT INTO limit_changes (key, unit, spent, at) SELECT k.key, unit_of, claimed, statement_timestamp() FROM',
      ],
    },
  },
  {
    name: 'a claim is remembered though its lease has ended',
    seenBy: ['tight'],
    told: /are remembered whose leases have ended/,
    functions: {
      rota_limited_ends: [
        'DELETE FROM limit_claims WHERE task_id = OLD.task_id RETURNING limits',
        'SELECT limits FROM limit_claims WHERE task_id = OLD.task_id',
      ],
    },
  },
];

function replaced(text: string, was: string, becomes: string): string {
  // A fault that is not put in would be found by no race.
  if (text.split(was).length !== 2) throw new Error(`not once in the text: ${was}`);
  return text.replace(was, () => becomes);
}

export async function putInto(sql: Sql, { functions = {} }: Fault): Promise<void> {
  for (const [name, [was, becomes]] of Object.entries(functions)) {
    const [found] = await sql<
      { text: string }[]
    >`SELECT pg_get_functiondef(oid) AS text FROM pg_proc WHERE proname = ${name}`;
    await sql.unsafe(replaced(found!.text, was, becomes));
  }
}

/**
 * A releaser's connections that run its statements as the fault has them. Before admitting and after it they wait for a while, with and without a
 * fault: what is claimed, or another releaser reads, in between makes the difference.
 */
export function rewriting(sql: Sql, { statements = {} }: Pick<Fault, 'statements'>, pauseMs: number): Sql {
  const texts = new Map(
    Object.entries(statements).map(([name, changes]) => [
      statement(name),
      changes.reduce((text, [was, becomes]) => replaced(text, was, becomes), statement(name)),
    ]),
  );
  const wrapped = <T extends Pick<Sql, 'unsafe'>>(of: T): T =>
    new Proxy(of, {
      get(target, name) {
        if (name === 'unsafe')
          return (text: string, ...rest: never[]) => {
            if (text === statement('limits/admit') || text === statement('limits/next')) void pause(target, pauseMs);
            return target.unsafe(texts.get(text) ?? text, ...rest);
          };
        if (name === 'begin')
          return (work: (transaction: Sql) => Promise<unknown>) =>
            sql.begin(async (transaction) => work(wrapped(transaction as unknown as Sql)));
        return Reflect.get(target, name) as unknown;
      },
    });
  return wrapped(sql);
}

/** Sent before the statement that follows, on the same connection. */
async function pause(transaction: Pick<Sql, 'unsafe'>, ms: number): Promise<void> {
  await transaction.unsafe(`SELECT pg_sleep(${ms / 1_000})`).catch(() => {});
}
