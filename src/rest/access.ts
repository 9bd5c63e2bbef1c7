import { isIP } from 'node:net';
import { type ApiToken, readTokens, type TokenSettings } from '../api-tokens.ts';
import type { Logger } from '../telemetry/log.ts';
import { readTlsFiles } from '../tls-files.ts';

/** Which clients may reach REST, and how. */
export interface RestAccess {
  /** The tokens with access; every client has access where none is configured. */
  readonly tokens: readonly ApiToken[];
  readonly tls: Tls | null;
  /** URLs under which clients reach REST, beside its own address: browsers may write from them, and links use them. */
  readonly publicUrls: readonly string[];
  /** The address or name that REST listens at. */
  readonly listens: string;
  /** The part of each shared budget that one client may hold: more than 0, at most 1. */
  readonly clientShare: number;
}

interface AccessSettings extends TokenSettings {
  readonly SCHEDULER_API_HOST: string;
  readonly SCHEDULER_API_PUBLIC_URL?: string | undefined;
  readonly SCHEDULER_API_TLS_CERT?: string | undefined;
  readonly SCHEDULER_API_TLS_KEY?: string | undefined;
  readonly SCHEDULER_API_CLIENT_SHARE: number;
}

/** Reads the files that the variables name. @throws RotaError BAD_CONFIG that names the variable */
export function readRestAccess(config: AccessSettings): RestAccess {
  return {
    tokens: readTokens(config),
    tls: readTls(config.SCHEDULER_API_TLS_CERT, config.SCHEDULER_API_TLS_KEY),
    publicUrls: config.SCHEDULER_API_PUBLIC_URL?.split(',') ?? [],
    listens: config.SCHEDULER_API_HOST,
    clientShare: config.SCHEDULER_API_CLIENT_SHARE,
  };
}

/** Certificate (with those between it and the authority) and key, as PEM. */
interface Tls {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** @returns null where neither is set. @throws RotaError BAD_CONFIG for one without the other, or for no valid PEM */
function readTls(certPath: string | undefined, keyPath: string | undefined): Tls | null {
  const { cert, key } = readTlsFiles({ cert: certPath, key: keyPath }, 'SCHEDULER_API_TLS');
  return cert === undefined || key === undefined ? null : { cert: Buffer.from(cert), key: Buffer.from(key) };
}

/** At the start: logs which clients have access, and what to do about it. */
export function tellWhoMayAsk(log: Logger, tokens: readonly ApiToken[], host: string, url: string): void {
  const { protocol, port } = new URL(url);
  const address = `${protocol}//${host}:${port}`;
  if (tokens.length > 0) {
    log.info({ address, holders: tokens.map(({ name, role }) => `${name}: ${role}`) }, 'REST asks for a token');
    return;
  }
  const open = 'lists, pops, pushes, patches and schedules are open to any client that';
  const nothing = 'REST asks for no token';
  if (isLoopback(host)) {
    log.info({ address, reason: `${open} is on this machine` }, nothing);
    return;
  }
  const advice = 'let only KAT reach it, or set SCHEDULER_API_TOKENS_FILE (docs/security.md)';
  log.warn({ address, reason: `${open} reaches this address: ${advice}` }, nothing);
}

export function isLoopback(name: string): boolean {
  return name === 'localhost' || name === '::1' || (isIP(name) === 4 && name.startsWith('127.'));
}
