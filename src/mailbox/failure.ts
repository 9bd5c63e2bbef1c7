/** A failure as it crosses threads: plain data, since a thrown error loses its `code` and prototype on the way. */
export interface Failure {
  /** A code of the registry in src/errors.ts; the mailbox itself only uses the six below. */
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
  readonly fields?: Readonly<Record<string, unknown>>;
}

type MailboxCode = 'MAILBOX_FULL' | 'ASK_TIMEOUT' | 'ACTOR_TERMINATED' | 'UNKNOWN_MESSAGE' | 'DRAINING' | 'BROKEN';

export type Result<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: Failure };

/** In UTF-16 units. A message may quote its subject; it is kept as an actor's last failure, and is part of answers and logs. */
const longestMessage = 2_000;

/**
 * Reads a thrown value of any kind as a failure: its own `code`, `retryable` and `fields` where it has them, else `BROKEN`. The
 * message is cut at 2 000 characters.
 */
export function failureOf(thrown: unknown): Failure {
  const error = (typeof thrown === 'object' && thrown !== null ? thrown : { message: String(thrown) }) as {
    code?: unknown;
    message?: unknown;
    retryable?: unknown;
    fields?: unknown;
  };
  return {
    code: typeof error.code === 'string' ? error.code : 'BROKEN',
    message: cut(typeof error.message === 'string' ? error.message : String(thrown)),
    retryable: error.retryable === true,
    ...(typeof error.fields === 'object' && error.fields !== null
      ? { fields: error.fields as Record<string, unknown> }
      : {}),
  };
}

function cut(message: string): string {
  return message.length <= longestMessage ? message : `${message.slice(0, longestMessage).toWellFormed()}…`;
}

/** A failure of another thread as an error in this one: same code, same `retryable`. */
export class FailureError extends Error {
  override readonly name = 'FailureError';
  readonly code: string;
  readonly retryable: boolean;
  readonly fields: Readonly<Record<string, unknown>>;

  constructor(failure: Failure) {
    super(failure.message);
    this.code = failure.code;
    this.retryable = failure.retryable;
    this.fields = failure.fields ?? {};
  }
}

const retryableCodes: ReadonlySet<MailboxCode> = new Set(['MAILBOX_FULL', 'ASK_TIMEOUT', 'DRAINING']);

/** A failure of the mailbox itself. Retryable where trying the same again may succeed: not once the actor is gone. */
export function mailboxFailure(code: MailboxCode, message: string): Failure {
  return { code, message, retryable: retryableCodes.has(code) };
}

export const succeeded: Result<undefined> = { ok: true, value: undefined };

/**
 * Waits for work that may fail for now: a retryable failure comes back as data, so that what depends on it can wait
 * while the rest of a batch goes on. Any other error is a bug and stays thrown.
 */
export async function attempt<T>(work: Promise<T>): Promise<Result<T>> {
  try {
    return { ok: true, value: await work };
  } catch (error) {
    return { ok: false, failure: retryableOf(error) };
  }
}

/** The same for a source of many values: it ends with the failure. It does not catch errors of its consumer. */
export async function* attemptEach<T>(source: AsyncIterable<T>): AsyncGenerator<Result<T>, void> {
  try {
    for await (const value of source) yield { ok: true, value };
  } catch (error) {
    yield { ok: false, failure: retryableOf(error) };
  }
}

function retryableOf(error: unknown): Failure {
  const failure = failureOf(error);
  if (!failure.retryable) throw error;
  return failure;
}
