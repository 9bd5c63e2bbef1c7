import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Sql as DriverSql, TransactionSql } from 'postgres';
import { within } from '../deadline.ts';
import { RotaError } from '../errors.ts';
import { partAnswered, partFailed } from '../telemetry/outages.ts';
import { applicationName, defaultStatementMs, Dialer } from './dialer.ts';
import postgres from './driver.ts';
import { readDsn, serversText } from './dsn.ts';
import { databaseError, sqlState } from './sql-states.ts';

export type Sql = DriverSql;
/** A pool, a reserved connection, or the connection of a transaction. */
export type Executor = Pick<Sql, 'unsafe'>;

export interface ConnectOptions {
  /** Connections at most. */
  readonly max: number;
  /**
   * Plans by key, for statements that know which rows they want: the queue's own. Statistics lie there: after a quiet
   * hour the queue counts as empty, and the plan for an empty table sorts the next hundred thousand rows at every claim.
   */
  readonly byKey?: boolean;
  /** Milliseconds after which the server ends a statement. */
  readonly statementMs?: number;
  /** A statement takes one core of the server, however much it reads: what people search for leaves the others to the queue. */
  readonly serial?: boolean;
}

/** Settings of a session. */
export const planByKey = {
  enable_seqscan: 'off',
  enable_bitmapscan: 'off',
  enable_mergejoin: 'off',
  enable_sort: 'off',
  plan_cache_mode: 'force_generic_plan',
  jit: 'off',
} as const;

/**
 * Lists, schedules and what operators do: planned for the tables as they are now, since a generic plan that was made while they
 * were empty is kept until the next ANALYZE.
 */
const planAnew = { plan_cache_mode: 'force_custom_plan' } as const;
const serial = { max_parallel_workers_per_gather: 0 } as const;

/**
 * Milliseconds. A supervisor that is frozen in the middle of a push would hold up those of all others: its transactions last
 * milliseconds otherwise.
 */
const idleInTransactionMs = 10_000;

/** @throws RotaError BAD_CONFIG where the URL cannot be used */
export function connect(databaseUrl: string, options: ConnectOptions): Sql {
  const dsn = readDsn(databaseUrl);
  const statementMs = options.statementMs ?? defaultStatementMs;
  const dialer = new Dialer(dsn, statementMs);
  const settings = {
    TimeZone: 'UTC',
    statement_timeout: statementMs,
    idle_in_transaction_session_timeout: idleInTransactionMs,
    ...(options.byKey ? planByKey : planAnew),
    ...(options.serial ? serial : {}),
  };
  const driverOptions = {
    // For its messages: it makes no connection itself.
    host: serversText(dsn),
    port: dsn.servers[0].port,
    socket: () => dialer.dialOrFail(),
    ssl: false,
    username: dsn.user,
    password: dsn.password,
    database: dsn.database,
    max: options.max,
    connect_timeout: dsn.connectWithinMs / 1_000,
    // The driver's own grows to 20 s: so long would a database that is back be asked by nobody.
    backoff: (failures: number) => Math.min(3 ** failures / 100, 1) * (0.5 + Math.random() / 2),
    onnotice: () => {},
    connection: {
      application_name: applicationName('rota', dsn),
      ...(dsn.options === null ? {} : { options: dsn.options }),
    },
    // Not as startup parameters: pgbouncer refuses those that it does not know (driver.ts).
    session: Object.entries(settings)
      .map(([name, value]) => `set_config('${name}', '${value}', false)`)
      .join(', '),
  };
  const sql = postgres(driverOptions);
  urls.set(sql, databaseUrl);
  return sql;
}

const urls = new WeakMap<Sql, string>();

/** One connection of its own to the database of `sql`, for statements that may take so many milliseconds. `end` it. */
export function patientConnection(sql: Sql, statementMs: number): Sql {
  return connect(urls.get(sql)!, { max: 1, statementMs });
}

/** Milliseconds of a page at the server; so long it waits for a connection, too, and is given up then. */
export const pageMs = 5_000;

/** Connections for lists: only lists wait for a slow list, and only searches for a slow search. */
export interface PagePools {
  readonly plain: Sql;
  /** For lists that may look into every row: a filter, a part of an OOI. */
  readonly search: Sql;
}

/** The connections of one supervisor, apart from each other by how long who uses them may take. */
export interface Pools {
  /** Of the queue itself, which opens them. */
  readonly queueConnections: number;
  /** Schedules, and what operators do. */
  readonly sql: Sql;
  readonly pages: PagePools;
  end(withinSeconds: number): Promise<void>;
}

/** @param connections 4 at least: half are the queue's; of the others lists have a half, two for searches and two for the rest at most */
export function connectPools(databaseUrl: string, connections: number): Pools {
  const queueConnections = Math.max(2, Math.floor(connections / 2));
  const listConnections = Math.min(4, Math.floor((connections - queueConnections) / 2));
  const sql = connect(databaseUrl, { max: connections - queueConnections - listConnections });
  const list = { max: Math.max(1, Math.floor(listConnections / 2)), statementMs: pageMs, serial: true };
  const plain = connect(databaseUrl, list);
  const search = listConnections === 1 ? plain : connect(databaseUrl, list);
  return {
    queueConnections,
    sql,
    pages: { plain, search },
    async end(withinSeconds) {
      await Promise.all([sql, plain, search].map((pool) => pool.end({ timeout: withinSeconds })));
    },
  };
}

/** The text of sql/queue/<name>.sql without its opening comment, read once. */
export function statement(name: string): string {
  const known = statements.get(name);
  if (known !== undefined) return known;
  const text = readFileSync(new URL(`../../sql/queue/${name}.sql`, import.meta.url), 'utf8').replace(/^(--.*\n)+/, '');
  statements.set(name, text);
  return text;
}

const statements = new Map<string, string>();

export interface StatementOptions {
  readonly prepare?: boolean;
  /** Milliseconds until it is given up, waiting for a connection included. */
  readonly withinMs?: number;
}

/**
 * Runs one statement, prepared unless told otherwise. JSON goes in as text (`$1::text::json`) and comes out as text: nothing
 * parses it here. What is given up before a connection was free for it is not run any more.
 * @throws RotaError DATABASE_UNAVAILABLE in time, whatever hangs
 */
export async function query<Row extends object>(
  sql: Executor,
  text: string,
  values: readonly unknown[],
  { prepare = true, withinMs = answerWithinMs }: StatementOptions = {},
): Promise<readonly Row[]> {
  const asked = sql.unsafe<Row[]>(text, values as never[], { prepare });
  try {
    return await within(asked, withinMs, 'DATABASE_UNAVAILABLE');
  } catch (error) {
    // The driver's word for a statement that is not on its way. One of a transaction ends with its connection.
    if (error instanceof RotaError && 'begin' in sql && (asked as { state?: unknown }).state === null) asked.cancel();
    throw error;
  }
}

/**
 * Runs `work` in one transaction. Given up before it could begin, it does not begin later; then each statement has its own
 * bound, and what a silent connection owes ends with that connection (silence.ts).
 * @throws RotaError DATABASE_UNAVAILABLE where no connection was free in time; what `work` throws
 */
export async function transaction<T>(
  sql: Sql,
  work: (transaction: TransactionSql) => Promise<T>,
  { withinMs = answerWithinMs }: Pick<StatementOptions, 'withinMs'> = {},
): Promise<T> {
  const begun = Promise.withResolvers<null>();
  let late = false;
  const whole = sql.begin(async (connection) => {
    if (late) throw new RotaError('DATABASE_UNAVAILABLE', 'given up before it began');
    begun.resolve(null);
    return work(connection);
  }) as Promise<T>;
  await within(Promise.race([begun.promise, whole]), withinMs, 'DATABASE_UNAVAILABLE').catch((error: unknown) => {
    late = true;
    whole.catch(() => {});
    throw error;
  });
  return whole;
}

/**
 * Runs `operation`, and again where Postgres undid it for the sake of another transaction: deadlock, serialization
 * failure, lock timeout. Nothing was committed then. A lost connection is not retried, nor is what gets no answer: nobody
 * knows whether the statement was committed.
 * @throws RotaError
 */
export async function transact<T>(operation: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const answer = await operation();
      partAnswered('database');
      return answer;
    } catch (error) {
      if (attempt === maxAttempts || !undone.has(sqlState(error))) throw told(databaseError(error));
      await delay(Math.random() * 20 * 2 ** attempt);
    }
  }
}

/** With the server's own words, which are for logs. */
function told(error: RotaError): RotaError {
  const { cause } = error;
  const words = cause instanceof Error ? ` (${cause.message})` : '';
  if (error.code === 'DATABASE_UNAVAILABLE') partFailed('database', `${error.message}${words}`);
  return error;
}

const maxAttempts = 5;
/** As long as a silent connection is waited for (dialer.ts): who waits longer waits for nothing. */
const answerWithinMs = 20_000;
const undone: ReadonlySet<string> = new Set(['40P01', '40001', '55P03']);
