import { parentPort, workerData } from 'node:worker_threads';
import { connectNats } from '../../src/nats/connect.ts';
import type { ProbeAsk, ProbeOptions, Taken } from './probe.ts';

/**
 * A worker that pops all the time and gives back what it gets: another client's view of the supervisor. A thread of its own, since
 * the fuzzer's is busy making inputs; pops begin by the clock and not when the last one was answered, since a supervisor that stalls
 * would be asked once and judged by one pop.
 */
const everyMs = 20;
/** Pops in flight at most: a supervisor that is silent for long is not buried under them. */
const most = 200;
/** Milliseconds. A pop that has waited for less is not counted as late. */
const late = 250;

const { natsUrl, prefix, scheduler } = workerData as ProbeOptions;
const connection = await connectNats({ servers: natsUrl, name: 'fuzz-probe' });
const began = new Set<number>();
let samples: number[] = [];
let refused = 0;
let unanswered = 0;

async function pop(): Promise<void> {
  const start = performance.now();
  began.add(start);
  try {
    const body = JSON.stringify({ limit: 1, lease_ms: 10_000, worker: 'probe' });
    const reply = await connection.request(`${prefix}.pop.${scheduler}`, body, { timeout: 30_000 });
    samples.push(performance.now() - start);
    if (reply.headers?.get('Nats-Service-Error-Code')) {
      refused += 1;
      return;
    }
    const { results } = reply.json<{ results: readonly { id: string; lease_id: string }[] }>();
    const patches = results.map(({ id, lease_id }) => ({ id, lease_id, status: 'queued' }));
    if (patches.length === 0) return;
    await connection.request(`${prefix}.task.patch`, JSON.stringify({ patches }), { timeout: 30_000 });
  } catch {
    unanswered += 1;
  } finally {
    began.delete(start);
  }
}

const ticking = setInterval(() => {
  if (began.size < most) void pop();
}, everyMs);

parentPort!.on('message', (ask: ProbeAsk) => {
  if (ask === 'end') {
    clearInterval(ticking);
    void connection.close().finally(() => parentPort!.close());
    return;
  }
  // Those that still wait count with what they have waited.
  const now = performance.now();
  const waiting = [...began].map((start) => now - start).filter((ms) => ms > late);
  parentPort!.postMessage({ samples: [...samples, ...waiting], refused, unanswered } satisfies Taken);
  samples = [];
  refused = 0;
  unanswered = 0;
});
parentPort!.postMessage({ samples: [], refused: 0, unanswered: 0 } satisfies Taken);
