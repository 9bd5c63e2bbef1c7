import { z } from 'zod';
import { FailureError } from '../mailbox/failure.ts';
import type { Supervision } from '../supervisor/supervision.ts';

/** What an operator's commands act on. */
export interface Operated {
  readonly instance: string;
  readonly version: string;
  readonly supervision: Supervision;
  /** Parked pops by scheduler. */
  parked(): ReadonlyMap<string, number>;
  readonly startedAt: Date;
  /** Who did what, for the audit log. */
  audit(command: string, by: string | null, fields: Readonly<Record<string, unknown>>): void;
}

export interface OperatorCommand {
  readonly name: string;
  readonly body: z.ZodType;
  run(body: never, caller: { readonly by: string | null }): unknown;
}

function command<T>(
  name: string,
  body: z.ZodType<T>,
  run: (body: T, caller: { readonly by: string | null }) => unknown,
): OperatorCommand {
  return { name, body, run };
}

const nothing = z.object({}).nullish();
const oneActor = z.object({ actor: z.string() });

/** `rota.ctl.<name>`: status, and what acts on a running actor. */
export function operatorCommands(operated: Operated): readonly OperatorCommand[] {
  const { supervision } = operated;
  return [
    command('status', nothing, async () => ({
      instance: operated.instance,
      version: operated.version,
      started_at: operated.startedAt.toISOString(),
      pid: process.pid,
      rss_bytes: process.memoryUsage.rss(),
      actors: await Promise.all(
        supervision.status().map(async (status) => {
          const inside = await supervision.inspect(status.name);
          return { ...status, thread: inside.outcome === 'reply' && inside.result.ok ? inside.result.value : null };
        }),
      ),
      waiters: Object.fromEntries(operated.parked()),
    })),
    command('restart-actor', oneActor, async ({ actor }, { by }) => {
      await supervision.restart(actor);
      operated.audit('restart-actor', by, { actor });
      return { restarted: actor };
    }),
    // For chaos runs: the thread ends as if it had crashed, and the supervisor's policy brings it back.
    command('kill-actor', oneActor, async ({ actor }, { by }) => {
      operated.audit('kill-actor', by, { actor });
      await supervision.kill(actor);
      return { killed: actor };
    }),
    command(
      'log-level',
      oneActor.extend({ level: z.enum(['debug', 'info', 'warn', 'error']) }),
      async ({ actor, level }, { by }) => {
        const outcome = await supervision.setLogLevel(actor, level);
        operated.audit('log-level', by, { actor, level });
        return { actor, level, outcome: outcome.outcome };
      },
    ),
    // Somebody enabled a boefje: look now, not at the next minute (#4191).
    command('look', z.object({ organisations: z.array(z.string()).optional() }).nullish(), async (body) => {
      const organisations = body?.organisations;
      const sent = await supervision.send('boefje', {
        kind: 'look-for-new-boefjes',
        ...(organisations === undefined ? {} : { organisations }),
      });
      if (!sent.ok) throw new FailureError(sent.failure);
      return { looking: organisations ?? 'all' };
    }),
    command('reschedule', oneActor, async ({ actor }) => {
      const sent = await supervision.send(actor, { kind: 'reschedule' });
      if (!sent.ok) throw new FailureError(sent.failure);
      return { rescheduling: actor };
    }),
  ];
}
