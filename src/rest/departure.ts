import type { FastifyReply } from 'fastify';

/** Aborted when the client goes away before the whole of its answer has left. */
export function departure(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort();
  });
  return controller.signal;
}

/** What it asked for and was not begun need not be done. */
export function requesterOf(reply: FastifyReply): { isGone(): boolean } {
  return { isGone: () => reply.raw.destroyed };
}

/** Now, or later, or never. */
export function whenAborted(signal: AbortSignal, act: () => Promise<void>): void {
  if (signal.aborted) void act();
  else signal.addEventListener('abort', () => void act(), { once: true });
}
