import { next } from '../../src/telemetry/events.ts';

/** The ids of the first set of tasks that is queued in an organisation from now on. */
export async function queuedIn(organisation: string): Promise<readonly string[]> {
  const { tasks } = await next('tasks.queued', (event) =>
    event.tasks.some((task) => task.organisation === organisation),
  );
  return tasks.map(({ id }) => id);
}
