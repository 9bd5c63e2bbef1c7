import { z } from 'zod';
import type { RunCommand } from '../control/operator-command.ts';
import { clientOfRequest, may } from './access.ts';
import type { App } from './app.ts';
import { sharedInFlight } from './bounds.ts';
import { budgets } from './budgets.ts';
import { schemaField, stringField } from './fields.ts';
import { sendJson } from './replies.ts';
import { errorAnswer, invalidAnswer } from './schemas.ts';

/**
 * `POST /ctl/<command>`: the operators' commands (docs/operations.md) for a client that has HTTP only, with the answers that they have
 * over NATS. mula has none of this.
 */
export function commandRoute(app: App, run: RunCommand, clientShare: number): void {
  const all = { most: budgets.commands, mostBytes: budgets.inFlightBytes };
  const underWay = sharedInFlight(all, clientShare, 'commands', budgets.commandsOfClient);
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
      // Without tokens every client could end supervisors and remove organisations: they only look.
      const access = request.holder !== null && may(request, 'operate') ? 'operate' : 'read';
      const by = request.holder?.name ?? request.ip;
      // Until the command is done: one that was answered in its place after 12 s goes on.
      const leave = underWay.enter(clientOfRequest(request), 0);
      const answer = await run(request.params.command, request.body, { by, access }).finally(leave);
      return sendJson(reply, JSON.stringify(answer));
    },
  );
}
