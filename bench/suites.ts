import type { Suite } from './harness/bench.ts';
import { api } from './suites/api.ts';
import { cycle } from './suites/cycle.ts';
import { drain } from './suites/drain.ts';
import { latency } from './suites/latency.ts';
import { mailbox } from './suites/mailbox.ts';
import { mutations } from './suites/mutations.ts';
import { popNats } from './suites/pop-nats.ts';
import { pushNats } from './suites/push-nats.ts';
import { ranking } from './suites/ranking.ts';
import { reschedule } from './suites/reschedule.ts';
import { rest } from './suites/rest.ts';
import { restart } from './suites/restart.ts';

/** In the order in which they run. */
export const suites: readonly Suite[] = [
  mailbox,
  ranking,
  latency,
  mutations,
  reschedule,
  restart,
  rest,
  pushNats,
  popNats,
  cycle,
  drain,
  api,
];
