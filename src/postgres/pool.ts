import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Sql as DriverSql, TransactionSql } from 'postgres';
import { within } from '../deadline.ts';
import { RotaError } from '../errors.ts';
import { partAnswered, partFailed } from '../telemetry/events.ts';
import { applicationName, defaultStatementMs, Dialer } from './dialer.ts';
import postgres from './driver.ts';
import { readDsn, serversText } from './dsn.ts';
import { databaseError, sqlState } from './sql-states.ts';

export type Sql = DriverSql;
/** A pool, a reserved connection, or the connection of a transaction. */
export type Executor = Pick<Sql, 'unsafe'>;

interface ConnectOptions {
  /** Connections at most. */
  readonly max: number;
  /** Plans by key, for the queue's own statements: after a quiet hour statistics call it empty, and that plan sorts all rows at each claim. */
  readonly byKey?: boolean;
  /** Milliseconds after which the server ends a statement. */
  readonly statementMs?: number;
  /** One core of the server for each statement, however much it reads: people's searches leave the others to the queue. */
  readonly serial?: boolean;
}

/** Settings of a session for `byKey`. */
export const planByKey = {
  enable_seqscan: 'off',
  enable_bitmapscan: 'off',
  enable_mergejoin: 'off',
  enable_sort: 'off',
  plan_cache_mode: 'force_generic_plan',
  jit: 'off',
} as const;

/** For lists, schedules and operators' commands: a generic plan that was made for empty tables is kept until the next ANALYZE. */
const planAnew = { plan_cache_mode: 'force_custom_plan' } as const;
const serial = { max_parallel_workers_per_gather: 0 } as const;

/** For lists along an index: for an empty table two indexes may cost the same, and a plan that took the wrong one would be kept. */
export const planByKeyAnew = { ...planByKey, ...planAnew } as const;

/**
 * A supervisor that is frozen in the middle of a push would hold up the pushes of all others. Transactions last a few
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
    // For the driver's messages: it makes no connection itself.
    host: serversText(dsn),
    port: dsn.servers[0].port,
    socket: () => dialer.dialOrFail(),
    ssl: false,
    username: dsn.user,
    password: dsn.password,
    database: dsn.database,
    max: options.max,
    connect_timeout: dsn.connectWithinMs / 1_000,
    // The driver's own grows to 20 s: we would ignore a recovered database for that long.
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

/** A separate connection to the database of `sql`, for statements that may take `statementMs`. The caller ends it. */
export function patientConnection(sql: Sql, statementMs: number): Sql {
  return connect(urls.get(sql)!, { max: 1, statementMs });
}

/** Milliseconds of a page at the server, and as long again for a connection; then it is given up. */
export const pageMs = 5_000;

/** Connections for lists: only lists wait for a slow list, and only searches for a slow search. */
export interface PagePools {
  readonly plain: Sql;
  /** For lists that may look into every row: a filter, a part of an OOI. */
  readonly search: Sql;
}

/** The connections of one supervisor, in pools by how long their statements may take. */
export interface Pools {
  /** The queue's share; it opens them itself. */
  readonly queueConnections: number;
  /** For schedules and operators' commands. */
  readonly sql: Sql;
  readonly pages: PagePools;
  end(withinSeconds: number): Promise<void>;
}

/** @param connections at least 4. The queue has half; lists have half of the others, at most two for searches and two for the rest */
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

interface StatementOptions {
  readonly prepare?: boolean;
  /** Milliseconds until it is given up, waiting for a connection included. */
  readonly withinMs?: number;
}

/**
 * Runs one statement, prepared by default. JSON goes in as text (`$1::text::json`) and comes out as text; nothing parses it
 * here. A statement that is given up before it got a connection does not run later.
 * @throws RotaError DATABASE_UNAVAILABLE after `withinMs`, also where the server hangs
 */
export async function query<Row extends object>(
  sql: Executor,
  text: string,
  values: readonly unknown[],
  { prepare = true, withinMs = statementWithinMs }: StatementOptions = {},
): Promise<readonly Row[]> {
  const asked = sql.unsafe<Row[]>(text, values as never[], { prepare });
  try {
    return await within(asked, withinMs, 'DATABASE_UNAVAILABLE');
  } catch (error) {
    // A null state is the driver's word for a statement not yet sent. One of a transaction ends with its connection.
    if (error instanceof RotaError && 'begin' in sql && (asked as { state?: unknown }).state === null) asked.cancel();
    throw error;
  }
}

/**
 * Runs `work` in one transaction. A transaction that is given up before it began does not begin later; once begun, each
 * statement has its own bound, and a silent connection is ended with its statements (silence.ts).
 * @throws RotaError DATABASE_UNAVAILABLE where no connection was free in time; what `work` throws
 */
export async function transaction<T>(
  sql: Sql,
  work: (transaction: TransactionSql) => Promise<T>,
  { withinMs = statementWithinMs }: Pick<StatementOptions, 'withinMs'> = {},
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
 * Runs `operation`, and retries it after a deadlock, a serialization failure or a lock timeout: nothing was committed then.
 * A lost connection or a missing answer is not retried: the statement may have been committed.
 * @throws RotaError
 */
export async function transact<T>(operation: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const answer = await operation();
      partAnswered('database');
      return answer;
    } catch (error) {
      if (attempt === maxAttempts || !undone.has(sqlState(error))) throw reported(databaseError(error));
      await delay(Math.random() * 20 * 2 ** attempt);
    }
  }
}

/** Reports an outage, with the server's own words, which are for logs only. */
function reported(error: RotaError): RotaError {
  const { cause } = error;
  // The driver makes no connection itself, and has no address to name.
  const words = cause instanceof Error ? ` (${cause.message.replace(' undefined:undefined', '')})` : '';
  if (error.code === 'DATABASE_UNAVAILABLE') partFailed('database', `${error.message}${words}`);
  return error;
}

const maxAttempts = 5;
/** A silent connection is ended after as long (dialer.ts): waiting longer is of no use. */
const statementWithinMs = 20_000;
const undone: ReadonlySet<string> = new Set(['40P01', '40001', '55P03']);

/**
 * Along indexes: for 100 000 of 400 000 rows that no vacuum has seen the planner sorts all, 0.8 s instead of 0.1.
 * `bare`: once, with the server's own errors, where a caller's words may be to blame, which is no outage.
 */
export function queryByKey<Row extends object>(
  sql: Sql,
  text: string,
  values: readonly unknown[],
  { anew = false, bare = false, prepare = true, withinMs = statementWithinMs }: ByKeyOptions = {},
): Promise<readonly Row[]> {
  const settings = [JSON.stringify(anew ? planByKeyAnew : planByKey)];
  const read = async (reading: Executor) => {
    await query(reading, settingAll, settings, { withinMs });
    return query<Row>(reading, text, values, { prepare, withinMs });
  };
  const once = () => transaction(sql, read, { withinMs });
  return bare ? once() : transact(once);
}

type ByKeyOptions = StatementOptions & { readonly anew?: boolean; readonly bare?: boolean };
const settingAll = 'SELECT set_config(key, value, true) FROM json_each_text($1::text::json)';
