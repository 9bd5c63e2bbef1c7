import type { FastifyReply, FastifyRequest } from 'fastify';
import { answerWithinMs, InFlight, unanswered } from '../in-flight.ts';
import type { App } from './app.ts';

/** Bodies of requests that are not answered: parsed they are five times as large. Each has its connection anyway. */
const most = { most: 10_000, mostBytes: 16 * 1_024 * 1_024 };

/**
 * Every request is answered: within 12 s, a pop 2 s after the end of its wait, whatever hangs behind it. And what waits is
 * bounded in number and bytes. Around each handler and not as hooks, which are a fortieth of what a pop costs each.
 */
export function installBounds(app: App, late: (error: unknown, reply: FastifyReply) => void): void {
  const inFlight = new InFlight(most);
  app.addHook('onRoute', (route) => {
    const handle = route.handler;
    route.handler = function bounded(this: typeof app, request: FastifyRequest, reply: FastifyReply) {
      const bytes = Number(request.headers['content-length'] ?? 0) || 0;
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

/** `wait` of a pop, in seconds; its answer may come 2 s later. */
function waitMsOf({ query }: FastifyRequest): number {
  const { wait } = (query ?? {}) as { wait?: unknown };
  return typeof wait === 'number' && wait > 0 ? wait * 1_000 + popMarginMs - answerWithinMs : 0;
}

const popMarginMs = 2_000;
