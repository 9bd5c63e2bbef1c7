import { currentTrace } from '../mailbox/trace.ts';
import type { NewTask, PushOutcome } from '../protocol/requests.ts';
import { pushSpanName } from '../telemetry/scheduler-spans.ts';
import { placeOf, type Span, spansAreFollowed, startSpan } from '../telemetry/spans.ts';
import type { ClaimedTask, LeaseRef, PopRequest, TaskPatch, TaskQueue } from './queue.ts';

/** A queue whose pushes and pops leave a span in the trace of each task; docs/tracing.md. The same queue otherwise. */
export class TracedQueue implements TaskQueue {
  readonly #queue: TaskQueue;
  readonly #typeOf: (scheduler: string) => string;

  constructor(queue: TaskQueue, typeOf: (scheduler: string) => string) {
    this.#queue = queue;
    this.#typeOf = typeOf;
  }

  async push(...[scheduler, tasks, options]: Parameters<TaskQueue['push']>): Promise<readonly PushOutcome[]> {
    if (!spansAreFollowed()) return this.#queue.push(scheduler, tasks, options);
    const spans = tasks.map((task) => this.#pushSpan(scheduler, task));
    const traced = tasks.map((task, at) => ({ ...task, trace: spans[at]!.trace }));
    try {
      const outcomes = await this.#queue.push(scheduler, traced, options);
      for (const [at, outcome] of outcomes.entries()) tellOutcome(spans[at]!, outcome);
      return outcomes;
    } catch (error) {
      for (const span of spans) span.fail(error);
      throw error;
    } finally {
      for (const span of spans) span.end();
    }
  }

  async pop(scheduler: string, request: PopRequest): Promise<readonly ClaimedTask[]> {
    const claimed = await this.#queue.pop(scheduler, request);
    return spansAreFollowed() ? claimed.map((task) => dispatched(scheduler, task, request)) : claimed;
  }

  async patch(patches: readonly TaskPatch[], options: Parameters<TaskQueue['patch']>[1] = {}) {
    if (!spansAreFollowed()) return this.#queue.patch(patches, options);
    const by = currentTrace();
    return this.#queue.patch(
      patches.map((patch) => ({ ...patch, by })),
      options,
    );
  }

  get(id: string, requester?: Parameters<TaskQueue['get']>[1]) {
    return this.#queue.get(id, requester);
  }

  getHeld(lease: LeaseRef, requester?: Parameters<TaskQueue['getHeld']>[1]) {
    return this.#queue.getHeld(lease, requester);
  }

  giveBack(claims: Parameters<TaskQueue['giveBack']>[0]) {
    return this.#queue.giveBack(claims);
  }

  heartbeat(leases: readonly LeaseRef[], leaseMs: number | null) {
    return this.#queue.heartbeat(leases, leaseMs);
  }

  release(scheduler: string, id: string) {
    return this.#queue.release(scheduler, id);
  }

  #pushSpan(scheduler: string, { organisation, trace }: NewTask): Span {
    const place = trace === undefined ? {} : placeOf(trace ?? '');
    const attributes = { 'rota.scheduler': scheduler, 'rota.organisation': organisation };
    return startSpan(pushSpanName(this.#typeOf(scheduler)), { kind: 'producer', ...place, attributes })!;
  }
}

function tellOutcome(span: Span, outcome: PushOutcome): void {
  if (outcome.outcome === 'queued') span.set({ 'rota.outcome': 'queued', 'rota.task.id': outcome.id });
  else if (outcome.outcome === 'refused') span.set({ 'rota.outcome': outcome.reason });
  else span.fail(outcome.failure);
}

/** A moment in the task's trace: how long the claim took is the request's to say. The work goes on under it. */
function dispatched(scheduler: string, task: ClaimedTask, { via, worker }: PopRequest): ClaimedTask {
  if (task.trace === null) return task;
  const attributes = {
    'rota.scheduler': scheduler,
    'rota.task.id': task.id,
    'rota.attempts': task.attempts,
    'rota.via': via,
    ...(worker === null ? {} : { 'rota.worker': worker }),
  };
  const span = startSpan('task.dispatched', { kind: 'consumer', ...placeOf(task.trace), attributes })!;
  span.end();
  return { ...task, trace: span.trace };
}
