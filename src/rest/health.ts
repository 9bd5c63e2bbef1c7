import { z } from 'zod';
import type { Health } from '../observation/health.ts';
import type { App } from './app.ts';
import { sendJson } from './pagination.ts';
import { healthAnswer, healthQuery, invalidAnswer, readyAnswer } from './schemas.ts';

/** `/`, `/health` (mula's: always 200, and says whether it is healthy) and `/ready` (503 while it cannot serve). */
export function healthRoutes(app: App, health: Health): void {
  app.get('/', { schema: { summary: 'Nothing', response: { 200: z.null() } } }, async (_request, reply) =>
    sendJson(reply, 'null'),
  );

  app.get(
    '/health',
    {
      schema: {
        summary: 'Whether Rota works, and what does not',
        querystring: healthQuery,
        response: { 200: healthAnswer, 422: invalidAnswer },
      },
    },
    async (request, reply) => {
      const [problems, externals] = await Promise.all([
        health.problems(),
        request.query.externals === true ? health.externals() : {},
      ]);
      return reply.send({
        service: 'scheduler',
        healthy: problems.length === 0,
        version: health.version,
        additional:
          problems.length === 0 ? null : { reasons: problems.map(({ part, reason }) => `${part}: ${reason}`) },
        results: problems.map(({ part, reason }) => ({
          service: part,
          healthy: false,
          version: null,
          additional: reason,
          results: [],
          externals: {},
        })),
        externals,
      });
    },
  );

  app.get(
    '/ready',
    { schema: { summary: 'Whether Rota serves', response: { 200: readyAnswer, 503: readyAnswer } } },
    async (_request, reply) => {
      const reasons = [...(await health.notReady())];
      return reply.code(reasons.length === 0 ? 200 : 503).send({ ready: reasons.length === 0, reasons });
    },
  );
}
