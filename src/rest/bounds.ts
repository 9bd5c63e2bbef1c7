import type { FastifyReply, FastifyRequest } from 'fastify';
import { answerWithinMs, InFlight, unanswered } from '../in-flight.ts';
import type { App } from './app.ts';

/** Bodies of requests that are not answered: parsed they are five times as large. */
const most = { most: 10_000, mostBytes: 16 * 1_024 * 1_024 };
/** Above what the queue parks of three schedulers: pops that wait take no place from pushes. */
const mostPops = { ...most, most: 40_000 };
/** Cheap, and asked by what restarts us where they are refused. */
const unbounded: ReadonlySet<string> = new Set(['/health', '/ready', '/metrics']);

/**
 * Every request is answered: within 12 s, a pop 2 s after the end of its wait, also while the database hangs. And what waits is
 * bounded in number and bytes. Around each handler and not as hooks, which are a fortieth of what a pop costs each.
 */
export function installBounds(app: App, late: (error: unknown, reply: FastifyReply) => void): void {
  const [pops, others] = [new InFlight(mostPops), new InFlight(most)];
  app.addHook('onRoute', (route) => {
    if (unbounded.has(route.url)) return;
    const inFlight = route.url.endsWith('/pop') ? pops : others;
    const handle = route.handler;
    route.handler = function bounded(this: typeof app, request: FastifyRequest, reply: FastifyReply) {
      const bytes = bytesOf(request);
      inFlight.enter(bytes);
      const timer = setTimeout(
        () => {
          if (!reply.sent) late(unanswered(), reply);
        },
        answerWithinMs + waitMsOf(request),
      );
      const over = () => {
        clearTimeout(timer);
        inFlight.leave(bytes);
      };
      const work: unknown = handle.call(this, request, reply);
      if (work instanceof Promise) work.then(over, over);
      else over();
      return work;
    };
  });
}

/** A body that came in chunks tells no length: such clients are few, and are charged with the writing of it. */
function bytesOf({ headers, body }: FastifyRequest): number {
  if (headers['content-length'] !== undefined) return Number(headers['content-length']) || 0;
  return body === undefined || body === null ? 0 : JSON.stringify(body).length;
}

/** `wait` of a pop, in seconds; its answer may come 2 s later. */
function waitMsOf({ query }: FastifyRequest): number {
  const { wait } = (query ?? {}) as { wait?: unknown };
  return typeof wait === 'number' && wait > 0 ? wait * 1_000 + popMarginMs - answerWithinMs : 0;
}

const popMarginMs = 2_000;
