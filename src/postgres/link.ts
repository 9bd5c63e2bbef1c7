import { once } from 'node:events';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls, type ConnectionOptions, getCACertificates } from 'node:tls';
import { certificate, type Dsn, type Server } from './dsn.ts';

/** After so much quiet the kernel asks the other end each second; ten misses end the connection. */
const keepAliveAfterMs = 10_000;
const sslRequest = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

/** Thrown with this code where a server has no TLS: `prefer` goes on without. */
export const noTls = 'ERR_TLS_NOT_OFFERED';

/**
 * A connection to a server, encrypted if `tls`, on which a driver may begin with its startup message.
 * @throws Error of Node with its code, or with `noTls`; RotaError BAD_CONFIG where a certificate cannot be read
 */
export async function openLink(dsn: Dsn, { host, port }: Server, tls: boolean): Promise<Socket> {
  const local = host.startsWith('/');
  const socket = local ? connectTcp({ path: join(host, `.s.PGSQL.${port}`) }) : connectTcp({ host, port });
  const late = setTimeout(() => socket.destroy(timedOut(dsn)), dsn.connectWithinMs);
  try {
    await once(socket, 'connect');
    socket.setNoDelay(true);
    socket.setKeepAlive(true, keepAliveAfterMs);
    return tls && !local ? await encrypted(socket, dsn, host) : socket;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(late);
  }
}

async function encrypted(socket: Socket, dsn: Dsn, host: string): Promise<Socket> {
  socket.write(sslRequest);
  const ended = new AbortController();
  const close = () => ended.abort();
  socket.once('close', close);
  const [answer] = (await once(socket, 'data', { signal: ended.signal }).catch((error: unknown) => {
    if (!ended.signal.aborted) throw error;
    throw Object.assign(new Error('the server closed the connection when it was asked for TLS'), {
      code: 'ECONNRESET',
    });
  })) as [Buffer];
  socket.off('close', close);
  // The server sends one byte: more was injected on the way.
  if (answer.length !== 1 || answer[0] !== 0x53) {
    throw Object.assign(new Error('The server does not support SSL connections'), { code: noTls });
  }
  socket.pause();
  const secured = connectTls({ socket, ...tlsOptions(dsn, host) });
  await once(secured, 'secureConnect');
  return secured;
}

/** As libpq: where there is a root certificate the chain is verified in every mode; the name for verify-full alone. */
function tlsOptions({ sslMode, certificates }: Dsn, host: string): ConnectionOptions {
  const { root, own, key, passphrase } = certificates;
  const rootRead = root === null || root === 'system' ? null : readRoot(root, sslMode.startsWith('verify'));
  const verifies = rootRead !== null || root === 'system';
  return {
    host,
    ...(isIP(host) === 0 ? { servername: host } : {}),
    rejectUnauthorized: verifies,
    ...(rootRead === null ? {} : { ca: rootRead }),
    ...(root === 'system' ? { ca: getCACertificates('system') } : {}),
    ...(own === null ? {} : { cert: certificate(own) }),
    ...(key === null ? {} : { key: certificate(key) }),
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(sslMode === 'verify-full' ? {} : { checkServerIdentity: () => undefined }),
  };
}

function readRoot(path: string, needed: boolean): Buffer | null {
  try {
    return certificate(path);
  } catch (error) {
    if (needed) throw error;
    return null;
  }
}

function timedOut({ connectWithinMs }: Dsn): Error {
  const error = new Error(`no answer within ${connectWithinMs / 1_000} s`);
  return Object.assign(error, { code: 'ETIMEDOUT' });
}
