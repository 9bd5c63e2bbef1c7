import type { Suite } from './harness/bench.ts';
import { api } from './suites/api.ts';
import { cycle } from './suites/cycle.ts';
import { drain } from './suites/drain.ts';
import { estimates } from './suites/estimates.ts';
import { fairness } from './suites/fairness.ts';
import { latency } from './suites/latency.ts';
import { limits } from './suites/limits.ts';
import { mailbox } from './suites/mailbox.ts';
import { mutations } from './suites/mutations.ts';
import { page } from './suites/page.ts';
import { pop } from './suites/pop.ts';
import { push } from './suites/push.ts';
import { pause } from './suites/pause.ts';
import { memory } from './suites/memory.ts';
import { rerank } from './suites/rerank.ts';
import { ranking } from './suites/ranking.ts';
import { rescheduling } from './suites/rescheduling.ts';
import { rest } from './suites/rest.ts';
import { restart } from './suites/restart.ts';
import { soak } from './suites/soak.ts';
import { supervisors } from './suites/supervisors.ts';

/** In the order in which they run: the ten million that the last two need are seeded while `memory` soaks. */
export const suites: readonly Suite[] = [
  mailbox,
  ranking,
  latency,
  mutations,
  rescheduling,
  restart,
  rest,
  push,
  cycle,
  supervisors,
  pause,
  limits,
  rerank,
  fairness,
  estimates,
  drain,
  page,
  memory,
  pop,
  api,
  soak,
];
