import type { Suite } from './harness/bench.ts';
import { api } from './suites/api.ts';
import { latency } from './suites/latency.ts';
import { mailbox } from './suites/mailbox.ts';
import { mutations } from './suites/mutations.ts';
import { popNats } from './suites/pop-nats.ts';
import { rest } from './suites/rest.ts';
import { restart } from './suites/restart.ts';

/** In the order in which they run. */
export const suites: readonly Suite[] = [mailbox, latency, mutations, restart, rest, popNats, api];
