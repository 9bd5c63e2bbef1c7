import { RotaError } from '../errors.ts';
import { type Row, rowOf, sqlState } from './sql-states.ts';

/** Where a session is. */
export interface Place {
  readonly host: string;
  readonly port: number;
  readonly database?: string | undefined;
  readonly user?: string | undefined;
}

const grants = (user: string) =>
  `make "${user}" the owner of the database, or grant it what is missing (of a schema: GRANT USAGE, CREATE ON SCHEMA public TO "${user}")`;

/** Where a session is, for a sentence: never a password. */
export function placeOf({ host, port, database, user }: Place): string {
  return `Postgres at ${host}:${port}, database "${database}", user "${user}"`;
}

/** Why there is no connection: one sentence with the place, the server's own reason and what to do. */
export function connectFault(error: unknown, client: Place): RotaError {
  return faultOf(rowOf(error) ?? unknown, client, error);
}

/** The same for what a statement fails at because of how the database was set up; null for anything else. */
export function setUpFault(error: unknown, client: Place): RotaError | null {
  const state = sqlState(error);
  return state === '42501' || state === '25006' ? faultOf(rowOf(error)!, client, error) : null;
}

/** `\u` escapes beyond ASCII, and most names in KAT's data, cannot be stored in another encoding. */
export function encodingFault(client: Place, encoding: string): RotaError {
  const advice = `create one with ENCODING 'UTF8' TEMPLATE template0, and restore its dump there`;
  return new RotaError('BAD_CONFIG', `${placeOf(client)}: its encoding is ${encoding}; ${advice}`);
}

/** No server, driver or socket has said it: Node could not even begin. */
const unknown = {
  advice: "look at the server's log, or correct SCHEDULER_DB_URI",
  atStart: 'temporary',
} as const satisfies Partial<Row>;

function faultOf({ advice, atStart }: Pick<Row, 'advice' | 'atStart'>, client: Place, cause: unknown): RotaError {
  const code = atStart === 'configuration' ? 'BAD_CONFIG' : 'DATABASE_UNAVAILABLE';
  const whatToDo = sqlState(cause) === '42501' ? grants(client.user ?? '') : advice;
  return new RotaError(code, `${placeOf(client)}: ${reasonOf(cause)}; ${whatToDo}`, { cause });
}

/** Both addresses of a host may refuse: Node then tells the reasons one by one. */
function reasonOf(error: unknown): string {
  const { message, errors } = error as { message?: string; errors?: readonly Error[] };
  const reason = errors?.map((one) => one.message).join(', ') ?? message ?? String(error);
  return reason.replaceAll('\n', ' ');
}
