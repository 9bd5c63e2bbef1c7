/**
 * Every error code of Rota: what the caller does next, the HTTP status (also the NATS service error code) and
 * the exit code of a command that ends with it. Decide on `code`, never on `instanceof`: errors cross threads as data.
 *
 * Families by what the caller does next:
 * - refused: the caller's fault, never retried as it is;
 * - busy:    try again later, with back-off;
 * - lost:    drop the work, another holder has it;
 * - failed:  counts an attempt;
 * - set-up:  a person must change something: a start ends, what runs already waits;
 * - broken:  a bug: stop.
 */
export const errorCodes = {
  INVALID_REQUEST: { family: 'refused', status: 422, exit: 64 },
  BAD_REQUEST: { family: 'refused', status: 400, exit: 64 },
  INVALID_FILTER: { family: 'refused', status: 400, exit: 64 },
  UNAUTHORIZED: { family: 'refused', status: 401, exit: 77 },
  FORBIDDEN: { family: 'refused', status: 403, exit: 77 },
  NOT_FOUND: { family: 'refused', status: 404, exit: 66 },
  CONFLICT: { family: 'refused', status: 409, exit: 65 },
  QUEUE_FULL: { family: 'busy', status: 429, exit: 75 },
  TOO_MANY_REQUESTS: { family: 'busy', status: 429, exit: 75 },
  MAILBOX_FULL: { family: 'busy', status: 503, exit: 75 },
  ASK_TIMEOUT: { family: 'busy', status: 503, exit: 75 },
  DATABASE_UNAVAILABLE: { family: 'busy', status: 503, exit: 75 },
  SERVICE_UNAVAILABLE: { family: 'busy', status: 503, exit: 75 },
  FILTER_TOO_SLOW: { family: 'busy', status: 503, exit: 75 },
  LIST_TOO_SLOW: { family: 'busy', status: 503, exit: 75 },
  DRAINING: { family: 'busy', status: 503, exit: 75 },
  LEASE_LOST: { family: 'lost', status: 409, exit: 65 },
  ACTOR_TERMINATED: { family: 'lost', status: 503, exit: 75 },
  RANK_FAILED: { family: 'failed', status: 500, exit: 70 },
  SERVICE_REJECTED: { family: 'failed', status: 502, exit: 69 },
  UNKNOWN_MESSAGE: { family: 'broken', status: 500, exit: 70 },
  SCHEMA_UNKNOWN: { family: 'set-up', status: 500, exit: 78 },
  BAD_CONFIG: { family: 'set-up', status: 500, exit: 78 },
  BROKEN: { family: 'broken', status: 500, exit: 70 },
} as const satisfies Record<string, ErrorEntry>;

interface ErrorEntry {
  readonly family: 'refused' | 'busy' | 'lost' | 'failed' | 'set-up' | 'broken';
  readonly status: number;
  readonly exit: number;
}

export type ErrorCode = keyof typeof errorCodes;

/** Their codes say what to do, and no log prints their stacks: to take one is half of what a refusal costs (13 of 25 µs). */
const answered: ReadonlySet<ErrorEntry['family']> = new Set(['refused', 'busy', 'lost']);

/** An error with a code of the registry. `fields` are facts for logs and answers: never secrets, never whole payloads. */
export class RotaError extends Error {
  override readonly name = 'RotaError';
  readonly code: ErrorCode;
  readonly fields: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: { fields?: Record<string, unknown>; cause?: unknown } = {}) {
    const frames = Error.stackTraceLimit;
    if (answered.has(errorCodes[code].family)) Error.stackTraceLimit = 0;
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    Error.stackTraceLimit = frames;
    this.code = code;
    this.fields = options.fields ?? {};
  }

  get retryable(): boolean {
    const family = errorCodes[this.code].family;
    return family === 'busy' || family === 'failed' || family === 'set-up';
  }
}

/** The code of anything thrown; `BROKEN` where it has none of ours. */
export function codeOf(error: unknown): ErrorCode {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && Object.hasOwn(errorCodes, code) ? (code as ErrorCode) : 'BROKEN';
}

/** Whose budget was in use where an error says so: of the client that asked, or of all clients together. Null for any other error. */
export function budgetOf(error: unknown): 'client' | 'all' | null {
  const code = codeOf(error);
  if (code !== 'TOO_MANY_REQUESTS' && code !== 'MAILBOX_FULL') return null;
  const { fields } = error as { fields?: { budget?: unknown } };
  return code === 'TOO_MANY_REQUESTS' || fields?.budget === 'client' ? 'client' : 'all';
}

/**
 * Whether the item in hand may have caused the failure: only then does it count as an attempt. A service that refuses or is away,
 * an actor that ended and a missing schema fail for every item.
 */
export function isOfItem(error: unknown): boolean {
  const { family } = errorCodes[codeOf(error)];
  return family === 'refused' || family === 'failed' || family === 'broken';
}

/** A service that Rota depends on is away, or refuses: an outage is logged once, not for each failure. */
export function isOutage(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'DATABASE_UNAVAILABLE' || code === 'SERVICE_UNAVAILABLE';
}
