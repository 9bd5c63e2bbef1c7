import { z } from 'zod';
import type { RunCommand } from '../control/operator-command.ts';
import { may } from './access.ts';
import type { App } from './app.ts';
import { schemaField, stringField } from './fields.ts';
import { sendJson } from './replies.ts';
import { errorAnswer, invalidAnswer } from './schemas.ts';

/**
 * `POST /ctl/<command>`: the operators' commands (docs/operations.md) for a client that has HTTP only, with the answers that they have
 * over NATS. mula has none of this.
 */
export function commandRoute(app: App, run: RunCommand): void {
  app.post(
    '/ctl/:command',
    {
      schema: {
        summary: 'An operator’s command, as over NATS',
        params: z.object({ command: stringField() }),
        body: schemaField(z.unknown()).optional(),
        response: { 200: z.unknown(), 404: errorAnswer, 422: invalidAnswer },
      },
    },
    async (request, reply) => {
      // Where nobody needs a token, nobody operates: whoever reaches the port could end supervisors and remove organisations.
      const access = request.holder !== null && may(request, 'operate') ? 'operate' : 'read';
      const by = request.holder?.name ?? request.ip;
      return sendJson(reply, JSON.stringify(await run(request.params.command, request.body, { by, access })));
    },
  );
}
