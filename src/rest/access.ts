import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { type ApiToken, readTokens, type TokenSettings } from '../api-tokens.ts';
import { RotaError } from '../errors.ts';

/** Who may reach REST and how. */
export interface RestAccess {
  /** Who may ask; everybody where there is none. */
  readonly tokens: readonly ApiToken[];
  readonly tls: Tls | null;
  /** URLs under which clients reach it, beside its own address: browsers may write from them, and links name them. */
  readonly publicUrls: readonly string[];
  /** The address or name that it listens at. */
  readonly listens: string;
  /** Of each budget that all share, what one client may hold: more than 0, at most 1. */
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
  readonly cert: string;
  readonly key: string;
}

/** @returns null where neither is set. @throws RotaError BAD_CONFIG for one without the other, and for what is none */
function readTls(certPath: string | undefined, keyPath: string | undefined): Tls | null {
  if (certPath === undefined && keyPath === undefined) return null;
  if (certPath === undefined || keyPath === undefined) {
    const missing = certPath === undefined ? 'SCHEDULER_API_TLS_CERT' : 'SCHEDULER_API_TLS_KEY';
    throw new RotaError('BAD_CONFIG', `${missing} is not set: TLS of REST needs a certificate and its key`);
  }
  const tls = { cert: readPem('SCHEDULER_API_TLS_CERT', certPath), key: readPem('SCHEDULER_API_TLS_KEY', keyPath) };
  try {
    createSecureContext(tls);
  } catch (error) {
    const why = `SCHEDULER_API_TLS_CERT=${certPath} and SCHEDULER_API_TLS_KEY=${keyPath} are no certificate and its key`;
    throw new RotaError('BAD_CONFIG', `${why} (${(error as Error).message})`);
  }
  return tls;
}

function readPem(variable: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new RotaError('BAD_CONFIG', `${variable}=${path} cannot be read (${code}): expected the path of a PEM file`);
  }
}
