import type { Suite } from './harness/bench.ts';
import { mailbox } from './suites/mailbox.ts';
import { popNats } from './suites/pop-nats.ts';

/** In the order in which they run: the short ones first. */
export const suites: readonly Suite[] = [mailbox, popNats];
