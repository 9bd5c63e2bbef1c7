import {
  type ApiError,
  ErrorCode,
  type JetStreamClient,
  type JetStreamManager,
  type JetStreamPublishOptions,
  NatsError,
} from 'nats';
import { partAnswered, partFailed } from '../telemetry/events.ts';
import { ensureStreams, isNotFound } from './subjects.ts';

/** Where one message is to be stored. */
export interface Place {
  readonly stream: string;
  readonly subject: string;
  /** Of Rota's streams: those that are gone are made again. */
  readonly prefix: string;
}

/**
 * Stores a message, and resolves when JetStream has confirmed it. A stream that takes nothing is a part that is away, by its
 * name: one that is full until a person raises its limits, one that is gone until it is made again, here.
 * @throws Error with a sentence that names the stream
 */
export async function store(
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

/** A sentence that names the stream, and says what to do where the server says what is wrong. */
export function streamFault(stream: string, error: unknown): string {
  // The library's own message of an answer is its code.
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

const noResponders: string = ErrorCode.NoResponders;

/** Nothing listens on the subjects of a stream that was deleted. An answer of JetStream itself may have the code 503, too. */
function isGone(error: unknown): boolean {
  const unheard = error instanceof NatsError && error.code === noResponders && !apiErrorOf(error);
  return unheard || isNotFound(error);
}

const fullCodes: ReadonlySet<number> = new Set([10_002, 10_023, 10_028, 10_047, 10_054, 10_077]);

function apiErrorOf(error: unknown): Partial<ApiError> | undefined {
  return (error as { api_error?: Partial<ApiError> } | null)?.api_error;
}
