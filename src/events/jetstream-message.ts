import {
  type ApiError,
  ErrorCode,
  headers,
  type JetStreamClient,
  type JetStreamManager,
  type JetStreamPublishOptions,
  type JsMsg,
  type MsgHdrs,
  type NatsConnection,
  NatsError,
} from 'nats';
import { traceHeader } from '../mailbox/trace.ts';
import type { EventStream } from '../protocol/scheduler.ts';
import { partAnswered, partFailed } from '../telemetry/events.ts';
import { attemptsHeader, deadAtHeader, type Destination, errorLine, errorHeader, notBeforeHeader } from './delivery.ts';
import { ensureStreams, isNotFound, subjectsOf } from './jetstream-streams.ts';

/** Reads the events of JetStream, and stores them where they go next. */

/** Null where they cannot be read: the library parses them when they are asked for, and throws for names that are none. */
function headersOf(message: JsMsg): MsgHdrs | null | undefined {
  try {
    return message.headers;
  } catch {
    return null;
  }
}

export function attemptsOf(message: JsMsg): number {
  return countOf(message, attemptsHeader);
}

export function traceOf(message: JsMsg): string {
  return headersOf(message)?.get(traceHeader) ?? '';
}

/** Epoch milliseconds; 0 for at once. */
export function whenDue(message: JsMsg): number {
  return countOf(message, notBeforeHeader);
}

function countOf(message: JsMsg, header: string): number {
  const value = Number(headersOf(message)?.get(header) || 0);
  return Number.isSafeInteger(value) && value > 0 ? value : 0;
}

/** Bytes of the headers that Rota and JetStream add: an error of 1 000 characters, a date, counts, an ID. */
const headerRoom = 2_048;

/**
 * Whether NATS takes the event with our headers beside its own, in whichever lane it is. One of nearly `maxPayload` bytes, or with
 * headers that cannot be read, could not be stored anywhere: it stayed in hand.
 */
export function isCountable(message: JsMsg, maxPayload: number): boolean {
  const own = headersOf(message);
  if (own === null) return false;
  let bytes = message.data.length + headerRoom;
  for (const [name, values] of own ?? []) {
    if (ownHeaders.test(name)) continue;
    for (const value of values) bytes += Buffer.byteLength(name) + Buffer.byteLength(value) + ': \r\n'.length;
  }
  return bytes <= maxPayload;
}

export interface Forwarding {
  readonly client: JetStreamClient;
  /** Bytes of a message with its headers. */
  readonly maxPayload: () => number;
  readonly manager: () => Promise<JetStreamManager>;
  readonly prefix: string;
}

/**
 * Stores the event where it goes next, and acknowledges it here once JetStream has confirmed that. One that is not countable goes
 * without any header. `now`: epoch milliseconds, of the clock that all supervisors share.
 */
export async function forward(
  { client, manager, prefix, maxPayload }: Forwarding,
  stream: EventStream,
  message: JsMsg,
  to: Destination,
  now: number,
): Promise<void> {
  const names = subjectsOf(prefix);
  const place = {
    stream: to.to === 'dead' ? names.deadStream : names.stream,
    subject: names[to.to](stream),
    prefix,
  };
  if (!isCountable(message, maxPayload())) {
    await store(client, manager, place, message.data, {});
    return message.ack();
  }
  const sent = headers();
  for (const [name, values] of headersOf(message) ?? []) {
    if (!ownHeaders.test(name)) for (const value of values) sent.append(name, value);
  }
  if (to.attempts > 0 || to.to === 'dead') sent.set(attemptsHeader, String(to.attempts));
  if (to.to === 'retry') sent.set(notBeforeHeader, String(now + to.delayMs));
  if (to.to === 'dead') {
    sent.set(errorHeader, errorLine(to.failure));
    sent.set(deadAtHeader, new Date(now).toISOString());
  }
  // A lost acknowledgement brings the event back, and JetStream then drops the second copy by this ID.
  const msgID = `${names.stream}:${message.seq}:${message.info.timestampNanos}:${to.to}`;
  await store(client, manager, place, message.data, { headers: sent, msgID });
  message.ack();
}

/** Headers that are set anew at each step, and those that JetStream would obey. */
const ownHeaders = /^(?:x-rota-(?:attempts|not-before)|Nats-.+)$/i;

/** Where one message is to be stored. */
interface Place {
  readonly stream: string;
  readonly subject: string;
  /** Of Rota's streams, which are made again where they are gone. */
  readonly prefix: string;
}

/**
 * Stores a message, and resolves when JetStream has confirmed it. A stream that takes nothing is reported as an outage by its
 * name: a full one until an operator raises its limits, a deleted one until it is made again, here.
 * @throws Error with a sentence that names the stream
 */
async function store(
  client: JetStreamClient,
  manager: () => Promise<JetStreamManager>,
  { stream, subject, prefix }: Place,
  data: Uint8Array,
  options: Partial<JetStreamPublishOptions>,
): Promise<void> {
  const part = `stream ${stream}`;
  try {
    await client.publish(subject, data, options);
  } catch (error) {
    const reason = streamFault(stream, error);
    partFailed(part, reason);
    if (isGone(error)) await ensureStreams(await manager(), prefix);
    throw new Error(reason, { cause: error });
  }
  partAnswered(part);
}

/** A sentence that names the stream, and says what to do where the reason is known. */
export function streamFault(stream: string, error: unknown): string {
  if ((error as { code?: unknown } | null)?.code === tooLarge)
    return `JetStream stream ${stream}: an event is larger than NATS takes now: raise max_payload of nats-server to what it was`;
  // The library uses the code of an answer as its message.
  const text = apiErrorOf(error)?.description ?? (error instanceof Error ? error.message : String(error));
  if (isGone(error)) return `JetStream stream ${stream} is gone: it is made again, what it held is lost`;
  // Limits of the stream, of the account, and of the server's memory and disk: JSStreamStoreFailedF and its like.
  if (fullCodes.has(apiErrorOf(error)?.err_code ?? 0) || isFull(text))
    return `JetStream stream ${stream} is full (${text}): raise its limits, or remove what it holds`;
  return `JetStream stream ${stream}: ${text}`;
}

function isFull(text: string): boolean {
  const [maximum, insufficient] = [text.indexOf('maximum '), text.indexOf('insufficient ')];
  return (
    (maximum !== -1 && text.indexOf(' exceeded', maximum) !== -1) ||
    (insufficient !== -1 && text.indexOf('resources', insufficient) !== -1)
  );
}

const tooLarge: string = ErrorCode.MaxPayloadExceeded;
const noResponders: string = ErrorCode.NoResponders;

/** The subjects of a deleted stream have no responders: 503. JetStream's own answers may have that code too. */
function isGone(error: unknown): boolean {
  const unheard = error instanceof NatsError && error.code === noResponders && !apiErrorOf(error);
  return unheard || isNotFound(error);
}

const fullCodes: ReadonlySet<number> = new Set([10_002, 10_023, 10_028, 10_047, 10_054, 10_077]);

function apiErrorOf(error: unknown): Partial<ApiError> | undefined {
  return (error as { api_error?: Partial<ApiError> } | null)?.api_error;
}

/** Publishes KAT's events to JetStream, the bodies that Octopoes and Bytes send to RabbitMQ. */
export interface JetstreamPublisher {
  /** Resolves when JetStream has stored it. Creates the stream where it is absent. */
  publish(stream: EventStream, body: Uint8Array | string): Promise<void>;
}

export function createJetstreamPublisher(connection: NatsConnection, prefix: string): JetstreamPublisher {
  const client = connection.jetstream();
  const subjects = subjectsOf(prefix);
  let ready: Promise<void> | null = null;

  const prepare = () => {
    ready ??= connection
      .jetstreamManager()
      .then((manager) => ensureStreams(manager, prefix))
      .catch((error: unknown) => {
        ready = null;
        throw error;
      });
    return ready;
  };

  return {
    publish: async (stream, body) => {
      await prepare();
      await client.publish(subjects.main(stream), typeof body === 'string' ? new TextEncoder().encode(body) : body);
    },
  };
}
