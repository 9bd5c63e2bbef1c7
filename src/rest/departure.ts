import type { FastifyReply } from 'fastify';

/** Aborted when the client goes away before the whole of its answer has left. */
export function departure(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort();
  });
  return controller.signal;
}

/** Now, or later, or never. */
export function whenAborted(signal: AbortSignal, act: () => Promise<void>): void {
  if (signal.aborted) void act();
  else signal.addEventListener('abort', () => void act(), { once: true });
}
