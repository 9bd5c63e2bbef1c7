import { on } from './events.ts';
import { placeOf, startSpan } from './spans.ts';

/** Leaves a moment in a task's trace for each change of its status, whoever made it: a worker, a person, the sweeper. */
export function followTaskChanges(): () => void {
  return on('tasks.changed', ({ scheduler, status, reason, traced = [] }) => {
    for (const { id, organisation, trace, by } of traced) {
      const attributes = {
        'rota.scheduler': scheduler,
        'rota.organisation': organisation,
        'rota.task.id': id,
        ...(reason === null ? {} : { 'rota.reason': reason }),
      };
      startSpan(`task.${status}`, { ...placeOf(trace, by), attributes })?.end();
    }
  });
}
