import type { Snapshot } from './snapshot.ts';

/** The organisations with most tasks that wait, that workers have, or that come: so many at most. */
export function mostToDo({ schedulers, leases }: Snapshot, days: number, most: number): ReadonlySet<string> {
  const tasks = new Map<string, number>();
  const add = (organisation: string, count: number) =>
    void tasks.set(organisation, (tasks.get(organisation) ?? 0) + count);
  for (const { organisation } of leases) add(organisation, 1);
  for (const { queued, schedules, arrivals } of schedulers) {
    for (const { organisation } of queued) add(organisation, 1);
    for (const { organisation } of schedules) add(organisation, 1);
    for (const { organisation, perSecond } of arrivals) add(organisation, perSecond * days * 86_400);
  }
  const inOrder = [...tasks].toSorted(([a, one], [b, other]) => other - one || (a < b ? -1 : 1));
  return new Set(inOrder.slice(0, most).map(([organisation]) => organisation));
}
