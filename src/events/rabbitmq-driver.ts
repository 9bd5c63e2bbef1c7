import { registerHooks } from 'node:module';
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import type { ConnectionOptions } from 'rabbitmq-client';
import { isOfTls, type TlsMaterial } from '../tls-files.ts';

/** Where RabbitMQ is, and what TLS with it needs. */
export interface Broker {
  readonly url: string;
  readonly tls: TlsMaterial;
}

interface Mend {
  readonly fault: string;
  readonly mended: string;
}

/**
 * The driver rabbitmq-client 5.0.8 with two faults mended that no code around it can prevent. They are mended at load, as in
 * src/postgres/driver.ts: a version whose text differs stops the start.
 */
const mends: ReadonlyMap<string, Mend> = new Map([
  [
    // Where something else than RabbitMQ answers (its management port, NATS), the driver asks its socket for more than
    // 1 GiB. The socket throws inside an event handler, which ends the process.
    'lib/util.js',
    {
      fault: 'const buf = socket.read(bytes);',
      mended: `let buf;
        try {
            buf = socket.read(bytes);
        }
        catch {
            const failed = cb;
            cb = undefined;
            return failed(new exception_1.AMQPConnectionError('NOT_AMQP', 'what answers there is no RabbitMQ'));
        }`,
    },
  ],
  [
    // The driver parses a body that its sender calls JSON or text: printed again it differs from what was sent, and one that
    // nests deep enough cannot be printed. Bodies stay bytes.
    'lib/Channel.js',
    {
      fault: `            let body = Buffer.concat(chunks);
            if (headerFrame.fields.contentType === 'text/plain' && !headerFrame.fields.contentEncoding) {
                body = body.toString();
            }
            else if (headerFrame.fields.contentType === 'application/json' && !headerFrame.fields.contentEncoding) {
                try {
                    body = JSON.parse(body.toString());
                }
                catch (_) {
                    // do nothing; this is a user problem
                }
            }
`,
      mended: `            const body = Buffer.concat(chunks);
`,
    },
  ],
]);

const hooks = registerHooks({
  load(url, context, next) {
    const loaded = next(url, context);
    const mend = mends.get(url.split('/node_modules/rabbitmq-client/')[1] ?? '');
    if (mend === undefined) return loaded;
    const source = Buffer.from(loaded.source as Uint8Array).toString();
    if (!source.includes(mend.fault)) throw new Error(`${url}: no longer what src/events/rabbitmq-driver.ts mends`);
    return { ...loaded, source: source.replace(mend.fault, () => mend.mended) };
  },
});

// A static import would load the driver before the hooks are registered.
const { Connection } = await import('rabbitmq-client');
hooks.deregister();

export class RabbitmqConnection extends Connection {
  /** `amqps:` or any TLS file requires TLS: nothing is sent before the server's certificate is verified. */
  constructor({ url, tls }: Broker, options: ConnectionOptions) {
    super({ ...options, url, ...(Object.keys(tls).length === 0 ? {} : { tls: tls as TlsOptions }) });
  }
}

/**
 * Why there is no connection to RabbitMQ, for operators: the place, RabbitMQ's reason, and what to do where that is known.
 * Never a password.
 */
export function brokerFault(brokerUrl: string, error: { readonly code?: unknown; readonly message: string }): string {
  const { hostname, port, protocol, pathname, username } = new URL(brokerUrl);
  const vhost = decodeURIComponent(pathname.slice(1).split('/')[0]!) || '/';
  const at = `${hostname}:${port || (protocol === 'amqps:' ? 5671 : 5672)}`;
  const place = `${at}, vhost "${vhost}", user "${decodeURIComponent(username)}"`;
  // The library puts the method, or `undefined`, before the reason.
  const reason = error.message.replace(/^\w+: (?=[A-Z_]+ - )/, '');
  const advice = isOfTls(error) ? tlsAdvice : advices[String(error.code)];
  return `${place}: ${reason}${advice === undefined ? '' : `; ${advice} QUEUE_URI`}`;
}

const tlsAdvice = 'correct its TLS, or QUEUE_TLS_CA, QUEUE_TLS_CERT, QUEUE_TLS_KEY or';

/** By the code of the broker or of Node. */
const advices: Readonly<Record<string, string>> = {
  ACCESS_REFUSED: 'correct user and password in',
  NOT_ALLOWED: 'create the vhost and let the user in, or correct both in',
  NOT_AMQP: 'correct the port in',
  ENOTFOUND: 'correct the host in',
  EAI_AGAIN: 'correct the host in',
  ECONNREFUSED: 'start it, or correct host and port in',
};
