import { writeHeapSnapshot } from 'node:v8';
import { isMainThread, workerData } from 'node:worker_threads';
import { Refusals } from '../src/supervisor/refusals.ts';
import { serveControl } from '../src/supervisor/thread-control.ts';
import { createEventSource } from '../src/events/broker-choice.ts';
import { realTime } from '../src/kat/request.ts';
import { createKatServices } from '../src/kat/services.ts';
import { Mailbox, receive, startClock } from '../src/mailbox/mailbox.ts';
import { ActorRef } from '../src/mailbox/ref.ts';
import { connectNats } from '../src/nats/connect.ts';
import type { SchedulerDefinition, Setup } from '../src/protocol/scheduler.ts';
import { SharedClock } from '../src/shared-clock.ts';
import { type ActorMessage, askOver } from '../src/supervisor/requests.ts';
import { threadDataOf } from '../src/supervisor/thread-data.ts';
import { emit, forwardEvents } from '../src/telemetry/events.ts';
import { createLog } from '../src/telemetry/log.ts';
import { watchLoopDelay } from '../src/telemetry/loop-delay.ts';
import { handlersInSpans } from '../src/telemetry/scheduler-spans.ts';
import { chance, time } from '../src/time-and-chance.ts';

/**
 * Entry of every scheduler thread: builds the ports around one behavior and receives until it is stopped. The only
 * module of actors/ that does I/O.
 */
const data = threadDataOf(workerData, isMainThread);
const log = createLog({ ...data.log, traces: data.traces, of: data.actor, bindings: { scheduler: data.actor } });

const requests = new ActorRef<ActorMessage>(data.requests);
forwardEvents((event) => void requests.tell({ kind: 'thread-event-happened', event }), { spans: data.traces });

const { now } = new SharedClock(data.clock);
const refusals = new Refusals(data.actor, log);
const kat = createKatServices(data.kat, realTime(now), {
  circuitChanged: (service, state) => emit({ name: 'circuit.changed', actor: data.actor, service, state }),
  pluginSkipped: (skipped) => log.warn({ ...skipped }, 'plug-in skipped, Katalogus gives it not as agreed'),
  declined: ({ kind, member, organisation, status }) =>
    log.warn(
      { ...(organisation === null ? {} : { organisation }), [kind]: member, status },
      'Octopoes cannot say, it is left out',
    ),
});
const stopping = new AbortController();
const setup: Setup = {
  scheduler: data.actor,
  settings: data.scheduler,
  supervisor: askOver(requests),
  kat,
  now,
  random: chance.random,
  log,
  stopping: stopping.signal,
  refuse: (reason, about) => refusals.refuse(reason, about),
};

const { default: definition } = (await import(data.behavior)) as { default: SchedulerDefinition };
const behavior = definition.start(setup);
const about = { scheduler: data.actor, type: definition.type };
const mailbox = new Mailbox(data.traces ? handlersInSpans(behavior, about) : behavior, {
  capacity: data.mailbox.capacity,
  batchFailed: (kind, failure, size) => log.warn({ kind, size, failure }, 'batch failed'),
  crashed: endWith,
});

const source = createEventSource(data.events, { connectNats, now });
for (const stream of definition.streams)
  source
    .consume(stream, (event, { alone, again, trace }) =>
      mailbox.ask(event, { alone, again, trace: data.traces ? trace : '' }),
    )
    .catch(endWith);
const loop = watchLoopDelay();
const stopClocks = definition.clocks.map(({ message, everyMs }) => startClock(mailbox, message, everyMs));

serveControl(data.control, {
  status: () => ({
    lanes: mailbox.status(),
    streams: source.status(),
    services: kat.status(),
    heapBytes: process.memoryUsage().heapUsed,
    loopDelay: loop.read(),
    logLevel: log.level,
    requests: requests.status(),
  }),
  setLogLevel: (level) => {
    log.level = level;
  },
  writeHeapSnapshot: (file) => writeHeapSnapshot(file),
});

receive(data.inbox, mailbox, {
  drain: async (withinMs) => {
    const deadline = time.monotonicMs() + withinMs;
    for (const stop of stopClocks) stop();
    stopping.abort();
    // Events in hand are settled by the mailbox, which is open until the source has stopped.
    await source
      .stop(withinMs)
      .catch((error: unknown) => log.warn({ err: error }, 'event source did not stop in order'));
    const left = await mailbox.drain(Math.max(0, deadline - time.monotonicMs()));
    refusals.flush();
    return left;
  },
  stop: () => {
    mailbox.close();
    process.exit(0);
  },
});

/** Outside of any promise, so that it ends the thread with its code and message for the supervisor to see. */
function endWith(error: unknown): void {
  process.nextTick(() => {
    throw error;
  });
}
