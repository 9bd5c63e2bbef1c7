import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { RotaError } from './errors.ts';

/** Paths of PEM files: the authorities of the server's certificate, and our own certificate with its key. */
export interface TlsFiles {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/** The contents of the files, which threads get instead of the paths. */
export interface TlsMaterial {
  readonly ca?: Uint8Array;
  readonly cert?: Uint8Array;
  readonly key?: Uint8Array;
}

/** A named file requires TLS, with any URL. */
export function namesTlsFile(files: TlsFiles | undefined): boolean {
  return Object.values(files ?? {}).some((path) => path !== undefined);
}

/**
 * Reads the files and tries them at the start: a wrong path would otherwise show as a connection that never comes up.
 *
 * @param variables the prefix of the paths' variables: `NATS_TLS`
 * @throws RotaError BAD_CONFIG that names the variable
 */
export function readTlsFiles(files: TlsFiles, variables: string): TlsMaterial {
  const read: { ca?: Buffer; cert?: Buffer; key?: Buffer } = {};
  for (const name of ['ca', 'cert', 'key'] as const) {
    const path = files[name];
    if (path === undefined) continue;
    try {
      read[name] = readFileSync(path);
    } catch (error) {
      throw unusable(`${variables}_${name.toUpperCase()}`, 'a PEM file that can be read', error);
    }
  }
  if ((read.cert === undefined) !== (read.key === undefined)) {
    const missing = read.cert === undefined ? 'CERT' : 'KEY';
    throw unusable(`${variables}_${missing}`, 'a PEM file, since a certificate and its key go together');
  }
  for (const name of ['ca', 'cert', 'key'] as const) tryOut(name, read, variables);
  return read;
}

/** Whether a connection failed over certificates or TLS itself: OpenSSL's verification, Node's comparison of names, an alert. */
export function isOfTls(error: unknown): boolean {
  return ofTls.test(String((error as { code?: unknown } | null)?.code));
}

const ofTls = /CERT|ERR_TLS|ERR_SSL|EPROTO|UNABLE_TO|HOSTNAME|CRL|SELF_SIGNED|INVALID_CA|INVALID_PURPOSE/;

/** Without the text of the error: it may quote the file. */
function tryOut(name: 'ca' | 'cert' | 'key', { ca, cert, key }: TlsMaterial, variables: string): void {
  const file = { ca, cert, key }[name];
  if (file === undefined) return;
  try {
    // A context takes an authority's file without any certificate in it, and then trusts no server.
    if (name === 'key') createSecureContext({ cert: cert as Buffer, key: file as Buffer });
    else void new X509Certificate(file);
  } catch (error) {
    const expected = name === 'key' ? 'the PEM key of the certificate' : 'a certificate in PEM';
    throw unusable(`${variables}_${name.toUpperCase()}`, expected, error);
  }
}

function unusable(variable: string, expected: string, cause?: unknown): RotaError {
  const code = (cause as NodeJS.ErrnoException | undefined)?.code;
  const reason = code === undefined ? '' : ` (${code})`;
  return new RotaError('BAD_CONFIG', `${variable}: expected ${expected}${reason}`, { cause });
}
