import { z } from 'zod';
import { FailureError } from '../mailbox/failure.ts';
import { valueOf } from '../mailbox/ref.ts';
import type { Supervision } from '../supervisor/supervision.ts';
import { lengths, shortText } from '../tasks/lengths.ts';
import { type Audit, command, type OperatorCommand } from './operator-command.ts';

const oneActor = z.strictObject({ actor: shortText(lengths.name) });

export interface ActorDesk {
  readonly supervision: Supervision;
  readonly audit: Audit;
}

/** What acts on a running actor of this supervisor. */
export function actorCommands({ supervision, audit }: ActorDesk): readonly OperatorCommand[] {
  return [
    // In a new thread that imports the behavior anew: how a fixed actor goes live while pops go on.
    command('restart-actor', oneActor, async ({ actor }, { by }) => {
      await supervision.restart(actor);
      audit('restart-actor', by, { actor });
      return { restarted: actor };
    }),
    // For chaos runs: the thread ends as if it had crashed, and the supervisor's policy brings it back.
    command('kill-actor', oneActor, async ({ actor }, { by }) => {
      audit('kill-actor', by, { actor });
      await supervision.kill(actor);
      return { killed: actor };
    }),
    command(
      'log-level',
      oneActor.extend({ level: z.enum(['debug', 'info', 'warn', 'error']) }),
      async ({ actor, level }, { by }) => {
        valueOf(await supervision.setLogLevel(actor, level), `log-level of ${actor}`);
        audit('log-level', by, { actor, level });
        return { actor, level };
      },
    ),
    // A snapshot stops the thread for as long as it takes, some seconds for half a gigabyte.
    command('heap', oneActor, async ({ actor }, { by }) => {
      const file = valueOf(await supervision.writeHeapSnapshot(actor), `heap snapshot of ${actor}`);
      audit('heap', by, { actor, file });
      return { actor, file };
    }),
    // Somebody enabled a boefje: look now, not at the next minute (#4191).
    command(
      'look',
      z.object({ organisations: z.array(shortText(lengths.organisation)).optional() }).nullish(),
      async (body) => {
        const organisations = body?.organisations;
        const sent = await supervision.send('boefje', {
          kind: 'look-for-new-boefjes',
          ...(organisations === undefined ? {} : { organisations }),
        });
        if (!sent.ok) throw new FailureError(sent.failure);
        return { looking: organisations ?? 'all' };
      },
    ),
    command('reschedule', oneActor, async ({ actor }) => {
      const sent = await supervision.send(actor, { kind: 'reschedule' });
      if (!sent.ok) throw new FailureError(sent.failure);
      return { rescheduling: actor };
    }),
  ];
}
