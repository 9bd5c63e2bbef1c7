import type { FastifyRequest } from 'fastify';
import type { Weights } from '../control/weights.ts';
import type { RequestAudit } from './access.ts';
import type { App } from './app.ts';
import { boundsOf, sendPage } from './replies.ts';
import {
  errorAnswer,
  invalidAnswer,
  pageAnswer,
  weightAnswer,
  weightBody,
  weightPath,
  weightsQuery,
} from './schemas.ts';

/** Rows of one answer at most: of the longest names 0.6 MB. */
const longestPage = 1_000;

/** `/weights`: shares of organisations, for a fair ranker. mula has none of this; over NATS it is `rota weights`. */
export function weightRoutes(app: App, weights: Weights, audit: RequestAudit): void {
  const set = async (request: FastifyRequest, scheduler: string, organisation: string, weight: number) => {
    const changed = await weights.set(scheduler, organisation, weight);
    audit(request, 'set-weight', { scheduler, organisation, ...changed });
    return changed;
  };

  app.get(
    '/weights',
    {
      schema: {
        summary: 'Weights of organisations that are not 1',
        querystring: weightsQuery,
        response: { 200: pageAnswer, 422: invalidAnswer },
      },
    },
    async (request, reply) => {
      const { limit, offset } = boundsOf(request.query, longestPage);
      const asked = { limit: Math.min(limit, longestPage), offset };
      const page = { ...(await weights.list(asked)), partial: false, cutAt: null };
      return sendPage(request, reply, page, asked, false);
    },
  );

  const changes = { 200: weightAnswer, 404: errorAnswer, 422: invalidAnswer };
  app.put(
    '/weights/:scheduler_id/:organisation',
    { schema: { summary: 'Serve an organisation so often', params: weightPath, body: weightBody, response: changes } },
    async (request, reply) => {
      const { scheduler_id: scheduler, organisation } = request.params;
      return reply.send(await set(request, scheduler, organisation, request.body.weight));
    },
  );

  app.delete(
    '/weights/:scheduler_id/:organisation',
    { schema: { summary: 'Serve it as often as others again', params: weightPath, response: changes } },
    async (request, reply) => {
      const { scheduler_id: scheduler, organisation } = request.params;
      return reply.send(await set(request, scheduler, organisation, 1));
    },
  );
}
