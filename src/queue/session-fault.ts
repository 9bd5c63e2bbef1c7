import { RotaError } from '../errors.ts';

/** Where a session is. */
export interface Place {
  readonly host: string;
  readonly port: number;
  readonly database?: string | undefined;
  readonly user?: string | undefined;
}

/** `configuration`: stays as it is until a person changes something (exit 78). `temporary`: trying again may help (exit 75). */
type Kind = 'configuration' | 'temporary';

interface Fault {
  /** SQLSTATEs, codes of Node, or the beginning of a message that has no code. */
  readonly when: RegExp;
  readonly kind: Kind;
  readonly advice: string;
}

const correct = 'correct SCHEDULER_DB_URI';
const grants = (user: string) =>
  `make "${user}" the owner of the database, or grant it what is missing (of a schema: GRANT USAGE, CREATE ON SCHEMA public TO "${user}")`;

/** Whatever is wrong at the first connection, the first that fits. */
const faults: readonly Fault[] = [
  { when: /^3D000$/, kind: 'configuration', advice: 'create it, or correct the name in SCHEDULER_DB_URI' },
  { when: /^28P01$|^SASL/, kind: 'configuration', advice: 'correct user and password in SCHEDULER_DB_URI' },
  {
    when: /^28/,
    kind: 'configuration',
    advice: 'correct the user in SCHEDULER_DB_URI, or create it and let it in (pg_hba.conf)',
  },
  { when: /^ENOTFOUND$/, kind: 'configuration', advice: 'correct the host in SCHEDULER_DB_URI' },
  {
    when: /^(?:ERR_TLS|ERR_SSL|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|The server does not support SSL)/,
    kind: 'configuration',
    advice: 'set sslmode in SCHEDULER_DB_URI to what the server offers, and look at its certificate',
  },
  {
    when: /^ECONNREFUSED$/,
    kind: 'temporary',
    advice: 'start it, or correct host and port in SCHEDULER_DB_URI',
  },
  // The name service itself does not answer: at boot it may come up after us.
  { when: /^EAI_AGAIN$/, kind: 'temporary', advice: 'try again, or correct the host in SCHEDULER_DB_URI' },
  {
    when: /^(?:ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)/,
    kind: 'temporary',
    advice: 'is a firewall between, or SCHEDULER_DB_URI wrong?',
  },
  {
    when: /^53300$/,
    kind: 'temporary',
    advice: 'raise max_connections or the limit of the role, or lower SCHEDULER_DB_CONNECTION_POOL_SIZE',
  },
  { when: /^57P03$/, kind: 'temporary', advice: 'try again in a moment' },
  { when: /^25006$/, kind: 'temporary', advice: 'name the primary server in SCHEDULER_DB_URI' },
  // With a SQLSTATE the server has understood us, and refuses; 08 is what a pooler says for its server.
  { when: /^(?!08|57|53)[0-9A-Z]{5}$/, kind: 'configuration', advice: correct },
];
const unknown: Fault = { when: /^/, kind: 'temporary', advice: `look at the server's log, or ${correct}` };

/** Where a session is, for a sentence: never a password. */
export function placeOf({ host, port, database, user }: Place): string {
  return `Postgres at ${host}:${port}, database "${database}", user "${user}"`;
}

/** Why there is no connection: one sentence with the place, the server's own reason and what to do. */
export function connectFault(error: unknown, client: Place): RotaError {
  const { code, reason } = read(error);
  const fault = code === '42501' ? missingPrivilege(client) : (faults.find(({ when }) => when.test(code)) ?? unknown);
  return faultOf(fault, client, reason, error);
}

/** The same for what a statement fails at because of how the database was set up; null for anything else. */
export function setUpFault(error: unknown, client: Place): RotaError | null {
  const { code, reason } = read(error);
  if (code === '42501') return faultOf(missingPrivilege(client), client, reason, error);
  const readOnly = faults.find(({ when }) => code === '25006' && when.test(code));
  return readOnly === undefined ? null : faultOf(readOnly, client, reason, error);
}

/** `\u` escapes beyond ASCII, and most names in KAT's data, cannot be stored in another encoding. */
export function encodingFault(client: Place, encoding: string): RotaError {
  const advice = `create one with ENCODING 'UTF8' TEMPLATE template0, and restore its dump there`;
  return faultOf({ kind: 'configuration', advice }, client, `its encoding is ${encoding}`, undefined);
}

function missingPrivilege({ user }: Place): Omit<Fault, 'when'> {
  return { kind: 'configuration', advice: grants(user ?? '') };
}

function faultOf({ kind, advice }: Omit<Fault, 'when'>, client: Place, reason: string, cause: unknown): RotaError {
  const code = kind === 'configuration' ? 'BAD_CONFIG' : 'DATABASE_UNAVAILABLE';
  return new RotaError(code, `${placeOf(client)}: ${reason}; ${advice}`, { cause });
}

/** Both addresses of a host may refuse: Node then tells the reasons one by one. */
function read(error: unknown): { readonly code: string; readonly reason: string } {
  const { code, message, errors } = error as { code?: unknown; message?: string; errors?: readonly Error[] };
  const reason = errors?.map((one) => one.message).join(', ') ?? message ?? String(error);
  return { code: typeof code === 'string' ? code : reason, reason: reason.replaceAll('\n', ' ') };
}
