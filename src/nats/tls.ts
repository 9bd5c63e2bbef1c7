import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import { type ConnectionOptions, ErrorCode } from 'nats';
import { RotaError } from '../errors.ts';
import { isOfTls, namesTlsFile, readTlsFiles, type TlsFiles } from '../tls-files.ts';

/**
 * TLS where a server is `tls:` or a file is named. The library itself knows no scheme: without its option `tls` it sends user and
 * password in clear to whoever says that it has no TLS. With it, it looks at the server's INFO before it sends anything, at
 * each connection. One list of servers has one requirement: the weakest would be found by whoever ends the others.
 *
 * @throws RotaError BAD_CONFIG
 */
export function requiredTls(servers: readonly string[], files: TlsFiles | undefined): Pick<ConnectionOptions, 'tls'> {
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

/** A certificate must name one of the servers that we were told of. */
function identityFault(hosts: readonly string[], certificate: PeerCertificate): Error | undefined {
  const faults = hosts.map((host) => checkServerIdentity(host, certificate));
  return faults.includes(undefined) ? undefined : faults[0];
}

/** Null where it is no matter of TLS. */
export function tlsFault(hosts: string, code: string, cause: unknown): RotaError | null {
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
