import { Socket } from 'node:net';
import { Client } from 'pg';
import { RotaError } from '../errors.ts';
import { type Dsn, type Server, serversText, type Target } from './dsn.ts';
import { noTls, openLink } from './link.ts';
import { type SilenceLimits, watchSilence } from './silence.ts';

/** How a connection is to be made. */
interface DialAttempt {
  readonly server: Server;
  readonly tls: boolean;
}

/**
 * A request is answered within 12 s, with or without Postgres, so a statement's answer has no reader after that; background
 * work runs in batches that last milliseconds. The server ends a statement after 15 s and says so. Where we hear nothing for
 * 5 s more, link or server is gone; the connection is replaced within 25 s. With 30 s, half of a minute's silence would have
 * been a slow list.
 */
export const defaultStatementMs = 15_000;
const marginMs = 5_000;

/** How long a choice holds: of several servers another one may be the primary by now; one server changes by its configuration. */
const chosenForMs = { several: 1_000, one: 60_000 } as const;

/**
 * Makes the connections of one URL, for either driver: to the first of its servers that is what the URL asks for, encrypted or
 * not as `sslmode` says, watched for silence. The drivers get a socket that is ready for their startup message, and know nothing
 * of hosts and TLS: they read URLs differently from each other, and neither reads them as libpq does.
 */
export class Dialer {
  readonly #dsn: Dsn;
  readonly #silence: Pick<SilenceLimits, 'silenceMs' | 'ask'>;
  #chosen: { readonly attempt: DialAttempt; readonly until: number } | null = null;
  #choosing: Promise<DialAttempt> | null = null;

  /** @param statementMs the server's own bound on a statement; null where it has none: a silent server is then asked again */
  constructor(dsn: Dsn, statementMs: number | null) {
    this.#dsn = dsn;
    this.#silence = {
      silenceMs: (statementMs ?? defaultStatementMs) + marginMs,
      ask: statementMs === null ? () => this.#isThere() : null,
    };
  }

  /** @throws the errors of `openLink`, of a login, and RotaError DATABASE_UNAVAILABLE where no server is what is asked for */
  async dial(): Promise<Socket> {
    const kept = this.#chosen !== null && performance.now() < this.#chosen.until ? this.#chosen.attempt : null;
    if (kept !== null) {
      try {
        return await this.#open(kept);
      } catch {
        this.#chosen = null;
      }
    }
    return this.#open(await this.#choose());
  }

  /**
   * The same for postgres.js, which loses a connection of its pool for good where no socket comes: it gets one that fails at once.
   */
  async dialOrFail(): Promise<Socket> {
    try {
      return await this.dial();
    } catch (error) {
      const failed = new Socket();
      setImmediate(() => failed.destroy(error as Error));
      return failed;
    }
  }

  async #open(attempt: DialAttempt): Promise<Socket> {
    const link = await openLink(this.#dsn, attempt.server, attempt.tls);
    watchSilence(link, { ...this.#silence, loginMs: this.#dsn.connectWithinMs, pool: this });
    return link;
  }

  /** @throws where the server takes no other connection, or answers nothing on it. */
  async #isThere(): Promise<void> {
    const link = await new Dialer(this.#dsn, defaultStatementMs).dial();
    await stateAt(link, this.#dsn);
  }

  async #choose(): Promise<DialAttempt> {
    this.#choosing ??= this.#find().finally(() => {
      this.#choosing = null;
    });
    const attempt = await this.#choosing;
    const ms = this.#dsn.servers.length > 1 ? chosenForMs.several : chosenForMs.one;
    this.#chosen = { attempt, until: performance.now() + ms };
    return attempt;
  }

  async #find(): Promise<DialAttempt> {
    const { servers, target, sslMode } = this.#dsn;
    const single = servers.length === 1 && target === 'any';
    if (single && sslMode !== 'allow' && sslMode !== 'prefer') {
      return { server: servers[0], tls: sslMode !== 'disable' };
    }
    const refusals: string[] = [];
    for (const wanted of target === 'prefer-standby' ? (['standby', 'any'] as const) : [target]) {
      for (const server of servers) {
        const found = await this.#ask(server, wanted).catch((error: unknown) => {
          if (single || refusesAll(error)) throw error;
          return error as Error;
        });
        if ('server' in found) return found;
        refusals.push(`${serversText({ ...this.#dsn, servers: [server] })}: ${reasonOf(found)}`);
      }
    }
    const what = target === 'any' || target === 'prefer-standby' ? 'can be reached' : `is ${named[target]}`;
    throw new RotaError(
      'DATABASE_UNAVAILABLE',
      `none of the servers in SCHEDULER_DB_URI ${what} (${refusals.join('; ')})`,
    );
  }

  /** @throws the first failure, unless the server's rules (pg_hba.conf) refused that way */
  async #ask(server: Server, wanted: Target): Promise<DialAttempt> {
    const failures: unknown[] = [];
    for (const tls of waysOf(this.#dsn, server)) {
      const attempt = { server, tls };
      try {
        const link = await this.#open(attempt);
        // The server has no TLS: one way is left, and one server. The driver's login finds out the rest.
        if (
          !tls &&
          failures.some((error) => driverCodeOf(error) === noTls) &&
          this.#dsn.servers.length === 1 &&
          wanted === 'any'
        ) {
          link.destroy();
          return attempt;
        }
        const unfit = unfitFor(wanted, await stateAt(link, this.#dsn));
        if (unfit === null) return attempt;
        throw new Error(unfit);
      } catch (error) {
        failures.push(error);
        if (isAway.test(driverCodeOf(error))) break;
      }
    }
    throw failures.find((error) => !['28000', noTls].includes(driverCodeOf(error))) ?? failures.at(-1);
  }
}

/** No answer at all: the other way of encryption gets none either. */
const isAway = /^(?:ETIMEDOUT|ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|ENOENT)$/;

interface ServerState {
  readonly recovery: boolean;
  readonly readOnly: boolean;
}

const named = {
  primary: 'a primary',
  standby: 'a standby',
  'read-write': 'writable',
  'read-only': 'read-only',
} as const;

function unfitFor(target: Target, { recovery, readOnly }: ServerState): string | null {
  const fits = {
    any: true,
    'prefer-standby': true,
    primary: !recovery,
    standby: recovery,
    'read-write': !readOnly,
    'read-only': readOnly,
  }[target];
  if (fits) return null;
  if (target === 'primary' || target === 'standby') return recovery ? 'is a standby' : 'is a primary';
  return readOnly ? 'is read-only' : 'is writable';
}

/** libpq's order; a Unix socket has no TLS. */
function waysOf({ sslMode }: Dsn, { host }: Server): readonly boolean[] {
  if (host.startsWith('/') || sslMode === 'disable') return [false];
  if (sslMode === 'allow') return [false, true];
  return sslMode === 'prefer' ? [true, false] : [true];
}

async function stateAt(link: Socket, dsn: Dsn): Promise<ServerState> {
  const client = clientOn(link, dsn, 'rota');
  try {
    await client.connect();
    const { rows } = await client.query<{ recovery: boolean; read_only: string }>(
      `SELECT pg_is_in_recovery() AS recovery, current_setting('transaction_read_only') AS read_only`,
    );
    return { recovery: rows[0]!.recovery, readOnly: rows[0]!.read_only === 'on' };
  } finally {
    client.end().catch(() => {});
  }
}

/** A client of node-postgres on a connection that is made. */
export function clientOn(link: Socket, dsn: Dsn, role: string): Client {
  // The driver calls connect on the socket that it is given: this one is connected already.
  link.connect = () => {
    setImmediate(() => link.emit('connect'));
    return link;
  };
  const client = new Client({
    host: dsn.servers[0].host,
    port: dsn.servers[0].port,
    user: dsn.user,
    password: dsn.password,
    database: dsn.database,
    ssl: false,
    stream: () => link,
    application_name: applicationName(role, dsn),
    ...(dsn.options === null ? {} : { options: dsn.options }),
  });
  // The statement that waits on a lost connection reports it.
  client.on('error', () => {});
  return client;
}

/** `rota`, or `rota (name)`: what the URL calls it, behind what `rota migrate --back-to-mula` looks for. */
export function applicationName(role: string, { applicationName: name }: Dsn): string {
  return name === null ? role : `${role} (${name})`;
}

/** A wrong password or database is wrong at every server: libpq, too, tries no other. */
function refusesAll(error: unknown): boolean {
  return error instanceof RotaError || /^(?:28|3D|42501)/.test(driverCodeOf(error));
}

function driverCodeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}

function reasonOf(error: Error): string {
  const { errors } = error as { errors?: readonly Error[] };
  return errors?.map(({ message }) => message).join(', ') ?? error.message;
}
