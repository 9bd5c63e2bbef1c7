import type { FastifyReply } from 'fastify';

/** Aborted when the client goes away before its answer is sent. */
export function departure(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableEnded) controller.abort();
  });
  return controller.signal;
}
