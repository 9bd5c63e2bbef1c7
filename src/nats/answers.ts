import { randomUUID } from 'node:crypto';
import type { MsgHdrs, NatsConnection, ServiceMsg } from 'nats';
import { codeOf, RotaError } from '../errors.ts';
import type { Log } from '../protocol/scheduler.ts';
import { type ErrorBody, errorBody, errorHeaders, errorOf } from './replies.ts';

/**
 * Sends answers. Never throws, also where the library or the answer fails: its callers are callbacks of the connection and timers,
 * and what it lets through would end the process.
 */
export class Answers {
  /** Answers that were errors, by code. */
  readonly errors: Record<string, number> = {};
  readonly #connection: NatsConnection;
  readonly #maxPayload: () => number;
  readonly #log: Log;

  constructor(options: { connection: NatsConnection; maxPayload: () => number; log: Log }) {
    this.#connection = options.connection;
    this.#maxPayload = options.maxPayload;
    this.#log = options.log;
  }

  answer(message: ServiceMsg, bytes: Uint8Array): void {
    const most = this.#maxPayload();
    if (bytes.length <= most) return this.#send(message, bytes);
    const said = `the answer has ${bytes.length} bytes; NATS takes ${most} (max_payload): ask for less of it at once`;
    this.refuse(message, new RotaError('SERVICE_REJECTED', said));
  }

  refuse(message: ServiceMsg, error: unknown): void {
    const code = codeOf(error);
    this.errors[code] = (this.errors[code] ?? 0) + 1;
    if (code !== 'BROKEN') return this.#sendError(message, errorOf(error));
    const id = randomUUID();
    this.#log.error({ subject: message.subject, err: error, id }, 'request failed');
    this.#sendError(message, errorBody('BROKEN', `internal error ${id}`));
  }

  #sendError(message: ServiceMsg, body: ErrorBody): void {
    this.#send(message, JSON.stringify(body), errorHeaders(body));
  }

  #send(message: ServiceMsg, data: Uint8Array | string, headers?: MsgHdrs): void {
    if (this.#connection.isClosed()) return;
    try {
      message.respond(data, headers === undefined ? {} : { headers });
    } catch (error) {
      // The connection closes at this very moment, or a server with a smaller max_payload is the one we came back to.
      this.#log.warn({ subject: message.subject, err: error }, 'answer not sent');
    }
  }
}
