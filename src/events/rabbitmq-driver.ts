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
 * The driver rabbitmq-client 5.0.8, with two faults mended that nothing around it can prevent. Mended as it is loaded, like
 * src/queue/driver.ts: a version whose text differs stops the start.
 */
const mends: ReadonlyMap<string, Mend> = new Map([
  [
    // Where something that is no RabbitMQ answers (its management port, NATS), the driver asks its socket for more than
    // 1 GiB, and what the socket throws then ends the process out of an event.
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
    // A body that its sender calls JSON or text is no longer what was sent once it was read, and one that nests deep enough
    // can be read and not written again. Bodies are bytes.
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

// Not a static import: that would load the driver before the hooks are there.
const { Connection } = await import('rabbitmq-client');
hooks.deregister();

export class RabbitmqConnection extends Connection {
  /** `amqps:` requires TLS, and so does any file that is named for it: nothing is sent before the server's certificate was verified. */
  constructor({ url, tls }: Broker, options: ConnectionOptions) {
    super({ ...options, url, ...(Object.keys(tls).length === 0 ? {} : { tls: tls as TlsOptions }) });
  }
}

/**
 * Why there is no connection to RabbitMQ, for people: the place, its own reason, and what to do where that is known. Never a
 * password.
 */
export function brokerFault(brokerUrl: string, error: { readonly code?: unknown; readonly message: string }): string {
  const { hostname, port, protocol, pathname, username } = new URL(brokerUrl);
  const vhost = decodeURIComponent(pathname.slice(1).split('/')[0]!) || '/';
  const at = `${hostname}:${port || (protocol === 'amqps:' ? 5671 : 5672)}`;
  const place = `${at}, vhost "${vhost}", user "${decodeURIComponent(username)}"`;
  // The library puts the method before it, or `undefined`.
  const reason = error.message.replace(/^\w+: (?=[A-Z_]+ - )/, '');
  const advice = isOfTls(error) ? tlsAdvice : advices[String(error.code)];
  return `${place}: ${reason}${advice === undefined ? '' : `; ${advice} QUEUE_URI`}`;
}

const tlsAdvice = 'correct its TLS, or QUEUE_TLS_CA, QUEUE_TLS_CERT, QUEUE_TLS_KEY or';

/** By what the broker, or Node, calls it. */
const advices: Readonly<Record<string, string>> = {
  ACCESS_REFUSED: 'correct user and password in',
  NOT_ALLOWED: 'create the vhost and let the user in, or correct both in',
  NOT_AMQP: 'correct the port in',
  ENOTFOUND: 'correct the host in',
  EAI_AGAIN: 'correct the host in',
  ECONNREFUSED: 'start it, or correct host and port in',
};
