import type { Delivery } from '../../src/mailbox/message.ts';
import type { Explain, Reschedule } from '../../src/protocol/commands.ts';
import type { SchedulerDefinition } from '../../src/protocol/scheduler.ts';
import { explaining } from './explain.ts';
import { reschedule } from './rescheduling.ts';

/** Queues reports by their schedules; a person's push needs no decision. */
const report: SchedulerDefinition<Reschedule | Explain> = {
  type: 'report',
  itemType: 'ReportTask',
  ranker: 'created-at',
  streams: [],
  clocks: [{ message: { kind: 'reschedule' }, everyMs: 60_000 }],
  start: (setup) => ({
    reschedule: (batch: readonly Delivery<Reschedule>[]) => reschedule(setup, batch),
    explain: explaining(setup),
  }),
};

export default report;
