import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Sql as DriverSql } from 'postgres';
import { within } from '../deadline.ts';
import type { RotaError } from '../errors.ts';
import { partAnswered, partFailed } from '../telemetry/outages.ts';
import postgres from './driver.ts';
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
    connection: { application_name: 'rota', TimeZone: 'UTC', ...bounds, ...(options.byKey ? planByKey : {}) },
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
      const answer = await within(operation(), answerWithinMs, 'DATABASE_UNAVAILABLE');
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
/** Two statements at their bound. What a lost connection swallowed would otherwise be waited for for ever, and hold a place. */
const answerWithinMs = 65_000;
const undone: ReadonlySet<string> = new Set(['40P01', '40001', '55P03']);
