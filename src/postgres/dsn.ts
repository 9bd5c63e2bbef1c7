import { existsSync, readFileSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import { RotaError } from '../errors.ts';

/** A server, by name or address, or by the folder of its Unix socket. */
export interface Server {
  readonly host: string;
  readonly port: number;
}

type SslMode = (typeof sslModes)[number];
export type Target = (typeof targets)[number];

/** A URL of Postgres, read as libpq reads it, for both drivers. */
export interface Dsn {
  /** In the order in which they are tried. */
  readonly servers: readonly [Server, ...Server[]];
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly sslMode: SslMode;
  /** Paths; `system` as root means the CAs of the machine. Read at each connection, so that a renewed one counts. */
  readonly certificates: {
    readonly root: string | null;
    readonly own: string | null;
    readonly key: string | null;
    readonly passphrase: string | undefined;
  };
  readonly target: Target;
  readonly applicationName: string | null;
  /** Of the server, as in `-c geqo=off`. */
  readonly options: string | null;
  /** Milliseconds for each server, login included. */
  readonly connectWithinMs: number;
}

const sslModes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
const targets = ['any', 'read-write', 'read-only', 'primary', 'standby', 'prefer-standby'] as const;

/** Parameters that mean something here. */
const read: ReadonlySet<string> = new Set(
  (
    'host port dbname user password application_name options connect_timeout target_session_attrs ' +
    'sslmode ssl sslrootcert sslcert sslkey sslpassword'
  ).split(' '),
);

/** Parameters of libpq that change nothing where they say what Rota does anyway. */
const redundant: ReadonlyMap<string, RegExp> = new Map([
  ['client_encoding', /^(?:auto|utf-?8)$/i],
  ['channel_binding', /^(?:disable|prefer)$/],
  ['gssencmode', /^(?:disable|prefer)$/],
  ['sslnegotiation', /^postgres$/],
  ['sslcompression', /^0$/],
  ['sslsni', /^1$/],
  ['keepalives', /^1$/],
  ['keepalives_idle', /^/],
  ['fallback_application_name', /^/],
]);

const defaultPort = '5432';
const expectedForm =
  'expected postgresql://user:password@host:port/database, with / ? @ and % in a user or password as %2F %3F %40 and %25';
/** Seconds; libpq waits for ever. */
const defaultConnectTimeout = '10';

/** The parts of `scheme://user:password@host:port,host:port/database?name=value`; null where the text has not that form. */
export function partsOf(text: string): {
  readonly userInfo: string | null;
  readonly authority: string;
  readonly database: string;
  readonly query: string;
} | null {
  const match = /^postgres(?:ql)?:\/\/(?:([^/?]*)@)?([^/?@]*)(?:\/([^?]*))?(?:\?(.*))?$/is.exec(text);
  if (match === null) return null;
  // A password with a plain `/` or `?` would be read as the host and what follows it, and be shown as such.
  if (match[1] === undefined && `${match[3] ?? ''}${match[4] ?? ''}`.includes('@')) return null;
  return { userInfo: match[1] ?? null, authority: match[2]!, database: match[3] ?? '', query: match[4] ?? '' };
}

/** @throws RotaError BAD_CONFIG that names what cannot be used; never a password. */
export function readDsn(text: string): Dsn {
  const parts = partsOf(text);
  if (parts === null) throw unusable(expectedForm);
  const parameters = parametersOf(parts.query);
  const given = (name: string) => parameters.get(name) || null;
  const info = parts.userInfo ?? '';
  const colon = info.includes(':') ? info.indexOf(':') : info.length;
  const user = given('user') ?? (decoded(info.slice(0, colon)) || userInfo().username);
  const servers = serversOf(parts.authority, given('host'), given('port'));
  return {
    servers,
    user,
    password: given('password') ?? decoded(info.slice(colon + 1)),
    database: given('dbname') ?? (decoded(parts.database) || user),
    ...tlsOf(given),
    // More than one: there is one primary among them, and a standby takes no task.
    target: choice(
      'target_session_attrs',
      given('target_session_attrs'),
      targets,
      servers.length > 1 ? 'primary' : 'any',
    ),
    applicationName: given('application_name'),
    options: given('options'),
    connectWithinMs: 1_000 * secondsOf(given('connect_timeout') ?? defaultConnectTimeout),
  };
}

/** `h1:p1,h2:p2`, or `/folder:port`. */
export function serversText({ servers }: Dsn): string {
  return servers.map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`).join(',');
}

/** As it may be shown: the user, and every password, redacted. */
export function redactedDsn(text: string): string | null {
  const parts = partsOf(text);
  if (parts === null) return null;
  const { userInfo: info, authority, database, query } = parts;
  const shownUser = info === null ? '' : info.includes(':') ? 'redacted:redacted@' : 'redacted@';
  const shownQuery = query.replaceAll(/(?<=^|&)((?:ssl)?password|user)=[^&]*/gi, '$1=redacted');
  const scheme = text.slice(0, text.indexOf('://'));
  return `${scheme}://${shownUser}${authority}${database === '' ? '' : `/${database}`}${query === '' ? '' : `?${shownQuery}`}`;
}

function parametersOf(query: string): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  for (const pair of query.split('&').filter((one) => one !== '')) {
    const at = pair.indexOf('=');
    if (at < 1) throw unusable(`the parameter "${decoded(pair)}" has no value`);
    const [name, value] = [decoded(pair.slice(0, at)), decoded(pair.slice(at + 1))];
    if (read.has(name)) parameters.set(name, value);
    else if (!redundant.has(name)) throw unusable(`the parameter "${name}" is not known`);
    else if (!redundant.get(name)!.test(value)) throw unusable(`the parameter ${name}=${value} is not supported`);
  }
  return parameters;
}

function serversOf(authority: string, host: string | null, port: string | null): readonly [Server, ...Server[]] {
  const written = authority.split(',').map((one) => {
    const match = /^(\[[^\]]*\]|[^:[\]]*)(?::(\d*))?$/.exec(one);
    if (match === null) throw unusable(`the host "${one}" cannot be read`);
    return { host: decoded(match[1]!.replace(/^\[(.*)\]$/, '$1')), port: match[2] ?? '' };
  });
  const hosts = host === null ? written.map((one) => one.host) : host.split(',');
  const ports = port === null ? written.map((one) => one.port) : port.split(',');
  if (ports.length !== 1 && ports.length !== hosts.length)
    throw unusable(`${ports.length} ports are given for ${hosts.length} hosts`);
  const servers = hosts.map((name, at) => ({
    host: name === '' ? 'localhost' : name,
    port: portOf(ports[ports.length === 1 ? 0 : at] || defaultPort),
  }));
  return servers as [Server, ...Server[]];
}

function tlsOf(given: (name: string) => string | null): Pick<Dsn, 'sslMode' | 'certificates'> {
  const root = given('sslrootcert') ?? ifThere('root.crt');
  // As in libpq, which takes the spelling of JDBC in URLs.
  const wanted = given('sslmode') ?? (given('ssl') === 'true' ? 'require' : null);
  const sslMode = choice('sslmode', wanted, sslModes, root === 'system' ? 'verify-full' : 'prefer');
  if (root === 'system' && sslMode !== 'verify-full')
    throw unusable(`sslrootcert=system asks for sslmode=verify-full, not ${sslMode}`);
  if (sslMode.startsWith('verify') && root === null) throw unusable(`sslmode=${sslMode} asks for sslrootcert`);
  const certificates = {
    root,
    own: given('sslcert') ?? ifThere('postgresql.crt'),
    key: given('sslkey') ?? ifThere('postgresql.key'),
    passphrase: given('sslpassword') ?? undefined,
  };
  // What a person must correct is said at start, not at each connection. libpq minds a root only where it must verify.
  if (sslMode !== 'disable') {
    const named = [sslMode.startsWith('verify') && root !== 'system' ? root : null, certificates.own, certificates.key];
    for (const path of named) if (path !== null) certificate(path);
  }
  return { sslMode, certificates };
}

/** @throws RotaError BAD_CONFIG */
export function certificate(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw unusable((cause as Error).message, cause);
  }
}

function ifThere(file: string): string | null {
  const path = join(homedir(), '.postgresql', file);
  return existsSync(path) ? path : null;
}

function choice<const Word extends string>(
  name: string,
  given: string | null,
  words: readonly Word[],
  fallback: NoInfer<Word>,
): Word {
  if (given === null) return fallback;
  const word = words.find((one) => one === given);
  if (word === undefined) throw unusable(`${name}=${given}: expected ${words.join(', ')}`);
  return word;
}

function portOf(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port < 1 || port > 65_535) throw unusable(`the port "${text}" is none`);
  return port;
}

/** 0 is for ever to libpq, and here a day; it takes at least 2 s. */
function secondsOf(text: string): number {
  if (!/^-?\d{1,9}$/.test(text)) throw unusable(`connect_timeout=${text}: expected seconds`);
  const seconds = Number(text);
  return seconds <= 0 ? 86_400 : Math.min(86_400, Math.max(2, seconds));
}

/** A percent sign that encodes nothing stands for itself, as in Python. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll(/%(?![0-9a-f]{2})/gi, '%25'));
  } catch {
    throw unusable('a percent-encoding in it is no UTF-8');
  }
}

function unusable(reason: string, cause?: unknown): RotaError {
  return new RotaError('BAD_CONFIG', `SCHEDULER_DB_URI cannot be used (${reason}): correct it`, { cause });
}
