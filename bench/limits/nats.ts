import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { connectNats } from '../../src/nats/connect.ts';
import type { Bench, Case, CaseSet } from '../harness/bench.ts';
import { bodyOf, leanClient } from '../harness/lean-client.ts';
import { closedLoop } from '../harness/load.ts';

/** A popped boefje task with its lease. */
const replyBytes = 800;

/** Bare request-reply with replies of the same size, nothing done for them: what NATS and the client can do. */
export async function natsLimits(bench: Bench): Promise<CaseSet> {
  const { natsUrl } = await bench.stage();
  const subject = 'bench.echo';
  const responder = new Worker(new URL('../threads/nats-echo.ts', import.meta.url), {
    workerData: { servers: natsUrl, subject, bytes: replyBytes },
  });
  await once(responder, 'message');
  const connection = await connectNats({ servers: natsUrl });
  const client = leanClient(connection);
  const body = bodyOf({ limit: 1, worker: 'bench' });
  const requests = (inFlight: number): Case => ({
    name: `nats-request-reply-${inFlight}-in-flight`,
    unit: 'requests/s',
    sample: () =>
      closedLoop({
        inFlight,
        warmUpMs: bench.warmUpMs,
        measureMs: bench.sampleMs,
        send: (slot, done) => client.request(slot, subject, body, () => done(1)),
      }),
  });
  return {
    cases: [1, 64, 256].map(requests),
    close: async () => {
      await connection.close();
      await responder.terminate();
    },
  };
}
