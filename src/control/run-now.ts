import { FailureError } from '../mailbox/failure.ts';
import { RotaError } from '../errors.ts';
import type { TaskQueue } from '../queue/queue.ts';
import { explanationOf, type ExplainPorts, question } from './explain.ts';
import { type CommandAudit, command, type SomeCommands } from './operator-command.ts';
import { whyNotNow } from './verdict.ts';

export interface RunNowPorts extends ExplainPorts {
  readonly queue: Pick<TaskQueue, 'push'>;
  readonly audit: CommandAudit;
}

/** `run-now`: queues what only waits for its time or for an event, as a person in Rocky does. */
export function runNowCommands(ports: RunNowPorts) {
  return {
    // Decided anew, whatever a page showed before: clearance may have been lowered since.
    'run-now': command('operate', question, async (asked, { by }) => {
      const { view, plugin, data } = await explanationOf(ports, asked);
      const { scheduler, organisation } = view;
      const why = whyNotNow(view);
      if (why !== null) throw new RotaError('CONFLICT', `not queued: ${why}`);
      if (data === null)
        throw new RotaError('CONFLICT', 'not queued: a raw file may become several tasks, so name its normalizer');
      // Asked twice at once, it runs once.
      const follows = view.task?.id ?? null;
      const [outcome] = await ports.queue.push(scheduler, [{ organisation, priority: 1, data, follows }]);
      if (outcome?.outcome === 'failed') throw new FailureError(outcome.failure);
      if (outcome?.outcome === 'refused') throw new RotaError('CONFLICT', `not queued: ${outcome.reason}`);
      if (outcome === undefined) throw new RotaError('BROKEN', 'the queue gave no outcome');
      ports.audit('run-now', by, { scheduler, organisation, plugin, task: outcome.id });
      return { task: outcome.id, scheduler, organisation };
    }),
  } satisfies SomeCommands;
}
