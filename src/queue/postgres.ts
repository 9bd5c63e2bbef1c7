import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Sql as DriverSql } from 'postgres';
import { within } from '../deadline.ts';
import { type ErrorCode, RotaError, codeOf } from '../errors.ts';
import postgres from './driver.ts';

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
}

/** As startup parameters of a connection. */
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

/**
 * Milliseconds. Nobody waits longer than 30 s for an answer (KAT's clients); a regular expression in a filter could run
 * for hours. A supervisor that is frozen in the middle of a push would hold up those of all others: its transactions last
 * milliseconds otherwise.
 */
const bounds = { statement_timeout: 30_000, idle_in_transaction_session_timeout: 10_000 } as const;

export function connect(databaseUrl: string, options: ConnectOptions): Sql {
  return postgres(databaseUrl, {
    max: options.max,
    connect_timeout: 10,
    // The driver's own grows to 20 s: so long would a database that is back be asked by nobody.
    backoff: (failures: number) => Math.min(3 ** failures / 100, 1) * (0.5 + Math.random() / 2),
    onnotice: () => {},
    connection: { application_name: 'rota', TimeZone: 'UTC', ...bounds, ...(options.byKey ? planByKey : planAnew) },
  });
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

/** Runs one statement, prepared unless told otherwise. JSON goes in as text (`$1::text::json`) and comes out as text: nothing parses it here. */
export async function query<Row extends object>(
  sql: Executor,
  text: string,
  values: readonly unknown[],
  { prepare = true }: { prepare?: boolean } = {},
): Promise<readonly Row[]> {
  return sql.unsafe<Row[]>(text, values as never[], { prepare });
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
      return await within(operation(), answerWithinMs, 'DATABASE_UNAVAILABLE');
    } catch (error) {
      if (attempt === maxAttempts || !undone.has(sqlState(error))) throw databaseError(error);
      await delay(Math.random() * 20 * 2 ** attempt);
    }
  }
}

const maxAttempts = 5;
/** Two statements at their bound. What a lost connection swallowed would otherwise be waited for for ever, and hold a place. */
const answerWithinMs = 65_000;
const undone: ReadonlySet<string> = new Set(['40P01', '40001', '55P03']);

/** Whatever a statement threw, in the codes of Rota. */
export function databaseError(error: unknown): RotaError {
  if (error instanceof RotaError) return error;
  if (codeOf(error) !== 'BROKEN') return new RotaError(codeOf(error), messageOf(error), { cause: error });
  const state = sqlState(error);
  const code = bySqlState(state);
  const fields = state === '' ? {} : { sqlState: state };
  return new RotaError(code, sentences[code] ?? messageOf(error), { cause: error, fields });
}

function bySqlState(state: string): ErrorCode {
  if (unreachable.test(state)) return 'DATABASE_UNAVAILABLE';
  if (state === '42P01' || state === '42703' || state === '42883' || state === '3F000') return 'SCHEMA_UNKNOWN';
  if (state === '23505') return 'CONFLICT';
  // 22: a value that Postgres cannot store, such as \u0000 in JSON; 23: a constraint; 21: cardinality; 54: too big.
  if (/^(22|23|21|54)/.test(state)) return 'BAD_REQUEST';
  return 'BROKEN';
}

/**
 * Connection exceptions, shutdowns, out of resources, an undone transaction after all retries; Node's socket errors; a
 * password, role or database that is no longer right for a new connection: those are told at start (session-fault.ts).
 */
const unreachable =
  /^(08...|57...|53...|28...|3D000|40P01|40001|55P03|ECONN\w+|EPIPE|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|CONNECT\w+)$/;

const sentences: Partial<Record<ErrorCode, string>> = {
  DATABASE_UNAVAILABLE: 'the database cannot be reached or is overloaded: try again',
  CONFLICT: 'it exists already',
};

function sqlState(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
