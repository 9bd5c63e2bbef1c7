import { codeOf, type ErrorCode, errorCodes, RotaError } from '../errors.ts';

/** `configuration`: stays as it is until a person changes something (exit 78). `temporary`: trying again may help (exit 75). */
type AtStart = 'configuration' | 'temporary';

/** What the caller must do about an error of the database, of its driver or of a socket to it. */
export interface SqlStateRow {
  /** SQLSTATEs, codes of Node or of the drivers, or the beginning of a message that has no code. */
  readonly when: RegExp;
  readonly code: ErrorCode;
  /** Goes on "the database"; absent where the server's own words are about the request, and are the answer. */
  readonly says?: string;
  /** What an operator does; at a start and while Rota runs. */
  readonly advice: string;
  readonly atStart: AtStart;
}

const address = 'correct SCHEDULER_DB_URI';

const refused = (when: RegExp, code: ErrorCode, says?: string): SqlStateRow => ({
  when,
  code,
  ...(says === undefined ? {} : { says }),
  advice: `look at the server's log, or ${address}`,
  atStart: 'configuration',
});
const notNow = (when: RegExp, says: string, advice: string, atStart: AtStart = 'temporary'): SqlStateRow => ({
  when,
  code: 'DATABASE_UNAVAILABLE',
  says,
  advice,
  atStart,
});

/**
 * The first row that fits counts. An error that is not known to be the request's fault, or ours, is "not now": a task that waits
 * too long is late, a refused one is lost.
 */
const rows: readonly SqlStateRow[] = [
  // The request's. A hash or an id that is there already.
  refused(/^23505$/, 'CONFLICT', 'has it already'),
  // 22: a value that Postgres cannot store, such as \u0000 in JSON; 23: a constraint; 21: one row twice in a set; 54: too big.
  refused(/^(?:21|22|23|54)...$/, 'BAD_REQUEST'),
  // Ours, or the schema's: another version's tables, a restore that has not made them yet, a schema that the role may not use.
  refused(/^(?:42P01|42703|42883|3F000)$/, 'SCHEMA_UNKNOWN'),
  // Ours: a statement that no server would take. 42501 is none of them, it is about the user.
  refused(/^42(?!501)...$/, 'BROKEN'),

  // A role whose grants change, or are being restored: a person puts that right; the request was not wrong.
  notNow(
    /^42501$/,
    'refuses a privilege to its user',
    'make the user of SCHEDULER_DB_URI the owner of the database, or GRANT it what is missing',
    'configuration',
  ),
  // A standby, a failover, a disk that fills (providers then make the database read-only), a person.
  notNow(/^25006$/, 'is read-only', 'name the primary server in SCHEDULER_DB_URI'),
  // While it is dropped and restored under its name.
  notNow(/^3D000$/, 'does not exist', 'create it, or correct the name in SCHEDULER_DB_URI', 'configuration'),
  // A password that is rotated: new connections fail, existing ones go on.
  notNow(/^28P01$|^SASL/, 'refuses the login', 'correct user and password in SCHEDULER_DB_URI', 'configuration'),
  notNow(
    /^28...$/,
    'refuses the login',
    'correct the user in SCHEDULER_DB_URI, or create it and let it in (pg_hba.conf)',
    'configuration',
  ),
  notNow(/^53100$/, 'has no room left on its disk', 'make room'),
  notNow(
    /^53300$/,
    'has no connections left',
    'raise max_connections or the limit of the role, or lower SCHEDULER_DB_CONNECTION_POOL_SIZE',
  ),
  notNow(/^53...$/, 'is out of a resource', "look at the server's log"),
  // The bound of every statement, or a person's pg_cancel_backend.
  notNow(/^57014$/, 'took longer than a statement may, or was told to stop it', 'see what it is busy with'),
  notNow(/^57P03$/, 'is starting, or recovering', 'wait a moment'),
  notNow(/^57...$/, 'is shutting down', 'start it'),
  // After the tries of `transact`.
  notNow(/^(?:40|55)...$/, 'is busy with what others hold locked', 'see who holds locks (pg_locks)'),
  // Idle in a transaction: a supervisor that was frozen, or a network that was.
  notNow(/^25P0[34]$/, 'ended a transaction that stood still', 'see why the supervisor did'),
  notNow(/^58...$/, 'has trouble with its files', "look at the server's log"),
  notNow(/^XX...$/, 'has an internal fault', "look at the server's log: it may be damaged"),

  // Sockets, names and TLS.
  notNow(
    /^ENOTFOUND$/,
    'has a host that no name server knows',
    'correct the host in SCHEDULER_DB_URI',
    'configuration',
  ),
  // The name service itself does not answer: at boot it may come up after us.
  notNow(/^EAI_/, 'has a host that cannot be looked up', 'correct the host in SCHEDULER_DB_URI'),
  notNow(/^ECONNREFUSED$/, 'cannot be reached', 'start it, or correct host and port in SCHEDULER_DB_URI'),
  notNow(
    /^(?:timeout expired|CONNECT_TIMEOUT|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)/,
    'cannot be reached',
    'see whether a firewall is between, or SCHEDULER_DB_URI wrong',
  ),
  notNow(
    /^(?:ERR_TLS|ERR_SSL|ERR_OSSL|CERT_|CRL_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|INVALID_|HOSTNAME_|PATH_LENGTH_|ERROR_IN_CE?RL?T?_)/,
    'cannot be reached over TLS',
    'set sslmode in SCHEDULER_DB_URI to what the server offers, and look at its certificate',
    'configuration',
  ),
  notNow(
    /^(?:The server does not support SSL|There was an error establishing an SSL)/,
    'cannot be reached over TLS',
    'set sslmode in SCHEDULER_DB_URI to what the server offers, and look at its certificate',
    'configuration',
  ),
  // 08 is what a pooler says for its server.
  notNow(/^08...$|^CONNECTION_|^Connection terminated/, 'closed the connection', "look at the server's log"),
  notNow(/^(?:E[A-Z0-9]+|ERR_SOCKET|ERR_STREAM)/, 'cannot be reached', 'see the network between'),

  // Codes of Postgres versions after this table. At a start a server that has understood us, and refuses, stays so.
  notNow(/^[0-9A-Z]{5}$/, 'cannot do it now', `look at the server's log, or ${address}`, 'configuration'),
  notNow(/^/, 'cannot do it now', `look at the server's log, or ${address}`),
];

/** Misuse of the driver or of Node by our own code: no server reported it, and trying again does not help. */
const misuse =
  /^(?:UNDEFINED_VALUE|NOT_TAGGED_CALL|UNSAFE_TRANSACTION|COPY_IN_PROGRESS|MAX_PARAMETERS_EXCEEDED|ERR_(?!SOCKET|STREAM|TLS|SSL|OSSL).*)$/;

/** Words of the driver pg, which gives them no code. */
const wordsOfDriver =
  /^(?:timeout expired|Query read timeout|Connection terminated|Client (?:was closed|has encountered)|SASL|The server does not support SSL|There was an error establishing an SSL|Received unexpected)/;

/** The row of an error, or null for a bug: an error without the code of a server, a driver or a socket. */
export function rowOf(error: unknown): SqlStateRow | null {
  const key = keyOf(error);
  return key === null || misuse.test(key) ? null : rows.find(({ when }) => when.test(key))!;
}

/** SQLSTATE of a statement that was ended, for taking too long above all. */
export const queryCanceled = '57014';

/** The SQLSTATE or code of what was thrown; '' where it has none. */
export function sqlState(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}

/** An error of any statement, in the codes of Rota. */
export function databaseError(error: unknown): RotaError {
  if (error instanceof RotaError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const state = sqlState(error);
  const row = state in errorCodes ? null : rowOf(error);
  if (row === null) return new RotaError(codeOf(error), message, { cause: error });
  const fields = state === '' ? {} : { sqlState: state };
  return new RotaError(row.code, sentenceOf(row, state) ?? message, { cause: error, fields });
}

/** In the same words, for a database that was found not writable without an error. */
export function notWritable(state: '25006' | '42501', detail: string): RotaError {
  const row = rows.find(({ when }) => when.test(state))!;
  return new RotaError(row.code, `the database ${row.says} (${detail}): ${row.advice}`, {
    fields: { sqlState: state },
  });
}

/** Without the server's own words, which name users and hosts: clients of the REST API read the sentence. */
function sentenceOf({ code, says, advice }: SqlStateRow, state: string): string | null {
  if (says === undefined) return null;
  if (code !== 'DATABASE_UNAVAILABLE') return `the database ${says}`;
  return `the database ${says}${state === '' ? '' : ` (${state})`}: try again later, or ${advice}`;
}

function keyOf(error: unknown): string | null {
  const state = sqlState(error);
  if (state !== '') return state;
  const message = error instanceof Error ? error.message : '';
  return wordsOfDriver.test(message) ? message : null;
}
