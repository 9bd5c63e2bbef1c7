import { z } from 'zod';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ListBounds, JsonPage } from '../queue/lists/page.ts';
import { attemptOutcomes, taskStatuses } from '../tasks/task.ts';

/** Rows of one answer at most: 10 000 tasks of KAT are some 15 MB of JSON. */
const longestPage = 10_000;
const defaultPages = 6;
const mostPages = 20;

interface ListQuery {
  readonly offset?: number | undefined;
  readonly limit?: number | undefined;
  readonly allow_partial_count?: boolean | undefined;
  readonly max_pages?: number | undefined;
}

/** Negative bounds count as 0. `limit=0` is how Rocky asks for an exact count. */
export function boundsOf(query: ListQuery, defaultLimit: number): Omit<ListBounds, 'filters'> {
  const limit = between(query.limit ?? defaultLimit, 0, longestPage);
  const partial = query.allow_partial_count === true && limit > 0;
  return {
    offset: Math.max(query.offset ?? 0, 0),
    limit,
    countPages: partial ? between(query.max_pages ?? defaultPages, 1, mostPages) : null,
  };
}

/**
 * `{count, next, previous, results[, is_partial_count]}`. As in mula, `next` is also there for an empty last page. It begins where
 * this page ends, which is earlier than asked for where the page reached its size limit.
 */
export function sendPage(
  request: FastifyRequest,
  reply: FastifyReply,
  page: JsonPage,
  { offset, limit }: Pick<ListBounds, 'offset' | 'limit'>,
  partialAsked: boolean,
): FastifyReply {
  const shown = page.cutAt ?? limit;
  const next = offset + shown <= page.count ? pageUrl(request, offset + shown, limit) : null;
  const previous = offset - limit >= 0 ? pageUrl(request, offset - limit, limit) : null;
  const partial = partialAsked ? `,"is_partial_count":${page.partial}` : '';
  const links = `"next":${JSON.stringify(next)},"previous":${JSON.stringify(previous)}`;
  return sendJson(reply, `{"count":${page.count},${links},"results":${page.results}${partial}}`);
}

/** JSON text as it came from Postgres. */
export function sendJson(reply: FastifyReply, text: string): FastifyReply {
  return reply.type('application/json').send(text);
}

/** The request's own URL, with `limit` and `offset` replaced, in that order, at the end. */
function pageUrl(request: FastifyRequest, offset: number, limit: number): string {
  const { path, query } = splitUrl(request.raw.url ?? '/');
  const parameters = new URLSearchParams(query);
  parameters.delete('limit');
  parameters.delete('offset');
  parameters.append('limit', String(limit));
  parameters.append('offset', String(offset));
  // Python's quoting keeps `~` and escapes `*`; URLSearchParams does the opposite.
  return `${request.server.origins.of(request) ?? ''}${path}?${parameters.toString().replaceAll('%7E', '~').replaceAll('*', '%2A')}`;
}

function between(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}

/** Aborted when the client disconnects before its whole answer has left. */
export function disconnection(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort();
  });
  return controller.signal;
}

/** The queue skips requests that it has not begun and whose client is gone. */
export function requesterOf(reply: FastifyReply): { isGone(): boolean } {
  return { isGone: () => reply.raw.destroyed };
}

/** Acts now where the signal is aborted already, else when it is. */
export function whenAborted(signal: AbortSignal, act: () => Promise<void>): void {
  if (signal.aborted) void act();
  else signal.addEventListener('abort', () => void act(), { once: true });
}

export function splitUrl(url: string): { path: string; query: string } {
  const at = url.indexOf('?');
  return at === -1 ? { path: url, query: '' } : { path: url.slice(0, at), query: url.slice(at) };
}

const moment = z.string().meta({ format: 'date-time' });
const errorAnswerOfTask = z.object({
  code: z.string().optional(),
  message: z.string(),
  detail: z.string().optional(),
});

/** Of `/tasks/ID/history`, which mula does not have. */
export const historyAnswer = z
  .object({
    status: z.enum(taskStatuses),
    reason: z.string().nullable(),
    attempts: z.int(),
    worker: z.string().nullable().describe('of the last attempt, as are the four after it'),
    claimed_at: moment.nullable(),
    started_at: moment.nullable(),
    ended_at: moment.nullable(),
    error: errorAnswerOfTask.nullable(),
    attempts_before: z.array(
      z.object({
        outcome: z.enum(attemptOutcomes),
        worker: z.string().optional(),
        claimed_at: moment.optional(),
        started_at: moment.optional(),
        ended_at: moment,
        error: errorAnswerOfTask.omit({ detail: true }).optional(),
      }),
    ),
    changed: z
      .object({
        action: z.enum(['cancel', 'retry', 'release', 'fail']),
        by: z.string(),
        why: z.string().optional(),
        at: moment,
      })
      .nullable()
      .describe('who last cancelled, retried or released it'),
  })
  .meta({ id: 'TaskHistory' });
