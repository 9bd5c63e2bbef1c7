import { registerHooks } from 'node:module';
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import type { ConnectionOptions } from 'rabbitmq-client';
import type { TlsMaterial } from '../tls-files.ts';

/** Where RabbitMQ is, and what TLS with it needs. */
export interface Broker {
  readonly url: string;
  readonly tls: TlsMaterial;
}

/**
 * The driver rabbitmq-client 5.0.8, with one fault mended that nothing around it can prevent: where something that is no
 * RabbitMQ answers (its management port, NATS), the driver asks its socket for more than 1 GiB, and what the socket throws
 * then ends the process out of an event. Mended as it is loaded, like src/queue/driver.ts: a version whose text differs
 * stops the start.
 */
const fault = 'const buf = socket.read(bytes);';
const mended = `let buf;
        try {
            buf = socket.read(bytes);
        }
        catch {
            const failed = cb;
            cb = undefined;
            return failed(new exception_1.AMQPConnectionError('NOT_AMQP', 'what answers there is no RabbitMQ'));
        }`;

const hooks = registerHooks({
  load(url, context, next) {
    const loaded = next(url, context);
    if (!url.endsWith('/node_modules/rabbitmq-client/lib/util.js')) return loaded;
    const source = Buffer.from(loaded.source as Uint8Array).toString();
    if (!source.includes(fault)) throw new Error(`${url}: no longer what src/events/rabbitmq-driver.ts mends`);
    return { ...loaded, source: source.replace(fault, () => mended) };
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
