import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import { connect, credsAuthenticator, type ConnectionOptions, ErrorCode, Events, type NatsConnection } from 'nats';
import type { NatsAuth } from '../config/config.ts';
import { unlessAborted, within } from '../deadline.ts';
import { codeOf, RotaError } from '../errors.ts';
import { isOfTls, namesTlsFile, readTlsFiles, type TlsFiles } from '../tls-files.ts';

/** The user that connects to NATS, and where. Secrets in it never reach logs or errors. */
export interface NatsAccess {
  /** `nats://host:port`, or `tls:`; user and password may stand in the URL. Several are tried in turn. */
  readonly servers: string | readonly string[];
  /** Shows in the server's connection list. */
  readonly name?: string;
  readonly auth?: NatsAuth;
  /** For a supervisor: a server that is not up yet is waited for. A command fails at once. */
  readonly retry?: ConnectRetry;
}

interface ConnectRetry {
  /** Gets the reason why there is no connection yet: after the first try, and then every five seconds. */
  told(reason: string): void;
  /** Ends the waiting. */
  readonly signal?: AbortSignal | undefined;
}

const pingEveryMs = 5_000;
const tryAgainMs = 500;
const tellEveryMs = 5_000;

/**
 * Connects, and reconnects for ever: neither an outage of NATS nor the rotation of a password ends the connection.
 *
 * @throws RotaError SERVICE_UNAVAILABLE (no server there, or one that is not the one), UNAUTHORIZED (it refuses us),
 * BAD_CONFIG (credentials file, certificates, TLS is required and not offered).
 */
export async function connectNats(access: NatsAccess): Promise<NatsConnection> {
  const servers = typeof access.servers === 'string' ? access.servers.split(',') : access.servers;
  const urls = servers.map((server) => parseServer(server.trim()));
  const inUrl = urls.find((url) => url.user !== undefined);
  const options: ConnectionOptions = {
    servers: urls.map((url) => url.address),
    reconnect: true,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 250,
    // A half-open link is given up after two pings without an answer. With the library's own interval of 2 min that took six.
    pingInterval: pingEveryMs,
    maxPingOut: 2,
    // Two refusals in a row would end the connection for good otherwise.
    ignoreAuthErrorAbort: true,
    // A stack trace captured per request costs more than the request.
    noAsyncTraces: true,
    ...(access.name === undefined ? {} : { name: access.name }),
    ...(access.auth?.inboxPrefix === undefined ? {} : { inboxPrefix: access.auth.inboxPrefix }),
    ...requiredTls(
      urls.map((url) => url.address),
      access.auth?.tls,
    ),
    ...(await credentials({ user: inUrl?.user, password: inUrl?.password, ...defined(access.auth ?? {}) })),
  };
  const hosts = urls.map((url) => url.address).join(', ');
  const attempt = () => connect(options).catch((error: unknown) => Promise.reject(faultOf(error, hosts)));
  return access.retry === undefined ? attempt() : withRetries(attempt, access.retry);
}

/** @throws RotaError DRAINING once the signal is aborted, and at once any error that waiting cannot solve */
async function withRetries(
  attempt: () => Promise<NatsConnection>,
  { told, signal }: ConnectRetry,
): Promise<NatsConnection> {
  let toldAt = Number.NEGATIVE_INFINITY;
  for (;;) {
    try {
      return await unlessAborted(attempt(), signal);
    } catch (error) {
      if (codeOf(error) !== 'SERVICE_UNAVAILABLE') throw error;
      if (performance.now() - toldAt >= tellEveryMs) {
        told((error as Error).message);
        toldAt = performance.now();
      }
    }
    await delay(tryAgainMs, undefined, signal === undefined ? {} : { signal }).catch(() => {});
  }
}

function faultOf(error: unknown, hosts: string): RotaError {
  const { code, message, chainedError } = error as { code?: string; message?: string; chainedError?: Error };
  const reason = chainedError?.message ?? message ?? String(error);
  if (code === 'AUTHORIZATION_VIOLATION' || code === 'AUTHENTICATION_EXPIRED' || code === 'BAD_AUTHENTICATION') {
    const advice =
      'correct NATS_URL, NATS_USER and NATS_PASSWORD, NATS_TOKEN or NATS_CREDS; of an embedded NATS: NATS_URL=$(cat DATA/nats.url)';
    return new RotaError('UNAUTHORIZED', `NATS at ${hosts} refuses these credentials (${reason}): ${advice}`, {
      cause: error,
    });
  }
  const ofTls = tlsFault(hosts, code ?? '', chainedError ?? error);
  if (ofTls !== null) return ofTls;
  const advice = 'is it up, and NATS_URL its address?';
  return new RotaError('SERVICE_UNAVAILABLE', `no NATS server answers at ${hosts} (${reason}): ${advice}`, {
    cause: error,
  });
}

/** The library ignores a user in the URL, so it is taken out here; the remaining address may be logged. */
function parseServer(server: string): { address: string; user?: string; password?: string } {
  const text = server.includes('://') ? server : `nats://${server}`;
  if (!URL.canParse(text)) throw new RotaError('BAD_CONFIG', 'NATS server: expected a URL such as nats://host:4222');
  const url = new URL(text);
  if (url.protocol !== 'nats:' && url.protocol !== 'tls:')
    throw new RotaError('BAD_CONFIG', `NATS server: expected a URL with nats: or tls:, not ${url.protocol}`);
  const user = decodeURIComponent(url.username);
  const password = decodeURIComponent(url.password);
  url.username = '';
  url.password = '';
  return { address: url.href.replace(/\/$/, ''), ...(user === '' ? {} : { user, password }) };
}

function defined(auth: NatsAuth): NatsAuth {
  return Object.fromEntries(Object.entries(auth).filter(([, value]) => value !== undefined));
}

async function credentials(auth: NatsAuth): Promise<Partial<ConnectionOptions>> {
  if (auth.credsFile !== undefined) {
    const file = await readFile(auth.credsFile).catch((error: NodeJS.ErrnoException) => {
      throw new RotaError('BAD_CONFIG', `NATS credentials file cannot be read (${error.code})`, { cause: error });
    });
    return { authenticator: credsAuthenticator(file) };
  }
  if (auth.token !== undefined) return { token: auth.token };
  if (auth.user === undefined) return {};
  // A URL such as nats://token@host carries a token, as everywhere else in NATS.
  if (auth.password === undefined || auth.password === '') return { token: auth.user };
  return { user: auth.user, pass: auth.password };
}

/**
 * TLS where a server is `tls:` or a file is named. The library ignores the scheme: without its option `tls` it sends user and
 * password in clear to any server that offers no TLS. With it, it reads the server's INFO before it sends anything, at each
 * connection. All servers of a list have one requirement: an attacker would else shut down all but the weakest.
 *
 * @throws RotaError BAD_CONFIG
 */
function requiredTls(servers: readonly string[], files: TlsFiles | undefined): Pick<ConnectionOptions, 'tls'> {
  if (!servers.some((server) => server.startsWith('tls:')) && !namesTlsFile(files)) return {};
  const { ca, cert, key } = files ?? {};
  readTlsFiles({ ca, cert, key }, 'NATS_TLS');
  const hosts = servers.map((server) => new URL(server).hostname.replace(/^\[(.*)\]$/, '$1'));
  const options = {
    // Paths: the library reads them at each connection, so that a renewed certificate counts.
    ...(ca === undefined ? {} : { caFile: ca }),
    ...(cert === undefined ? {} : { certFile: cert }),
    ...(key === undefined ? {} : { keyFile: key }),
    // For a server that it was given by address the library asks for the name `localhost`.
    checkServerIdentity: (_asked: string, certificate: PeerCertificate) => identityFault(hosts, certificate),
  };
  return { tls: options };
}

/** A certificate must name one of the configured servers. */
function identityFault(hosts: readonly string[], certificate: PeerCertificate): Error | undefined {
  const faults = hosts.map((host) => checkServerIdentity(host, certificate));
  return faults.includes(undefined) ? undefined : faults[0];
}

/** Null for an error that is not of TLS. */
function tlsFault(hosts: string, code: string, cause: unknown): RotaError | null {
  if (code === (ErrorCode.ServerOptionNotAvailable as string)) {
    const advice = 'turn TLS on there, or leave tls: and NATS_TLS_CA, NATS_TLS_CERT and NATS_TLS_KEY out';
    const text = `NATS at ${hosts} offers no TLS, which is required here, and got nothing from us: ${advice}`;
    return new RotaError('BAD_CONFIG', text, { cause });
  }
  if (!isOfTls(cause)) return null;
  const reason = (cause as Error).message;
  const text = `no trusted TLS with NATS at ${hosts} (${reason}): correct NATS_URL or NATS_TLS_CA, or its certificate`;
  return new RotaError('SERVICE_UNAVAILABLE', text, { cause });
}

/** Whether the connection is up. The library drops messages that are published while it is down, so publishers must check. */
interface Link {
  readonly up: boolean;
}

export function watchLink(connection: NatsConnection, on: { down?: () => void; up?: () => void } = {}): Link {
  const link = { up: true };
  void follow();
  return link;

  /** Ends with the connection. */
  async function follow(): Promise<void> {
    for await (const status of connection.status()) {
      if (status.type === Events.Disconnect && link.up) {
        link.up = false;
        on.down?.();
      } else if (status.type === Events.Reconnect && !link.up) {
        link.up = true;
        on.up?.();
      }
    }
  }
}

/** A round trip takes a millisecond; other supervisors take one as silent after three seconds. */
const roundTripWithinMs = 1_000;

/** Whether the NATS server answers now: a half-open connection looks open at our end. */
export async function answers(connection: NatsConnection): Promise<boolean> {
  if (connection.isClosed() || connection.isDraining()) return false;
  return within(connection.flush(), roundTripWithinMs).then(
    () => true,
    () => false,
  );
}
