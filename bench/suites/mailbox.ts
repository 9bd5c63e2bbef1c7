import { once } from 'node:events';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { wrap } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import { Bench as Tinybench } from 'tinybench';
import { ActorRef } from '../../src/mailbox/ref.ts';
import type { Bench, Case, Suite } from '../harness/bench.ts';
import type { Echo, EchoPorts } from '../threads/echo.ts';

const burst = 100;

export const mailbox: Suite = {
  name: 'mailbox',
  about: 'what a message to an actor costs, beside a raw port and comlink',
  run: async (bench) => {
    const thread = await startEcho();
    try {
      const ways: readonly [string, () => Promise<unknown>][] = [
        ['raw-port', () => thread.raw(1)],
        ['tell', () => thread.actor.tell({ kind: 'echo', value: 1 })],
        ['ask', () => thread.actor.ask({ kind: 'echo', value: 1 }, { withinMs: 10_000 })],
        ['comlink', () => thread.comlink.echo(1)],
      ];
      await bench.measure(
        'mailbox',
        ways.flatMap(([name, send]) => [
          timed(bench, `${name}-alone`, send, 1),
          timed(bench, `${name}-burst-${burst}`, () => Promise.all(Array.from({ length: burst }, send)), burst),
        ]),
      );
      for (const how of ['alone', `burst-${burst}`]) {
        bench.want(
          `mailbox/ask-${how}`,
          { against: 'raw port', of: `mailbox/raw-port-${how}` },
          { against: 'comlink', of: `mailbox/comlink-${how}` },
        );
        bench.want(`mailbox/tell-${how}`, { against: 'raw port', of: `mailbox/raw-port-${how}` });
      }
    } finally {
      await thread.stop();
    }
  },
};

/** tinybench measures one way to send; messages per second of its median. */
function timed(bench: Bench, name: string, send: () => Promise<unknown>, messages: number): Case {
  return {
    name,
    unit: 'ops/s',
    sample: async () => {
      const tinybench = new Tinybench({
        time: bench.quick ? 150 : 500,
        warmupTime: 50,
        retainSamples: true,
        throws: true,
      });
      tinybench.add(name, async () => void (await send()));
      const [task] = await tinybench.run();
      const result = task!.result;
      if (!('latency' in result)) throw new Error(`${name}: ${result.state}`);
      const latenciesMs = Float64Array.from(result.latency.samples ?? []);
      return { value: (1_000 / result.latency.p50) * messages, latenciesMs };
    },
  };
}

async function startEcho() {
  const [mailboxPort, rawPort, comlinkPort] = [new MessageChannel(), new MessageChannel(), new MessageChannel()];
  const ports: EchoPorts = { mailbox: mailboxPort.port2, raw: rawPort.port2, comlink: comlinkPort.port2 };
  const worker = new Worker(new URL('../threads/echo.ts', import.meta.url), {
    workerData: ports,
    transferList: Object.values(ports),
  });
  await once(worker, 'message');
  const actor = new ActorRef<Echo>(mailboxPort.port1);
  return {
    actor,
    raw: rawRequests(rawPort.port1),
    comlink: wrap<{ echo(value: number): number }>(nodeEndpoint(comlinkPort.port1)),
    stop: async () => {
      for (const { port1 } of [mailboxPort, rawPort, comlinkPort]) port1.close();
      await worker.terminate();
    },
  };
}

/** The least that an answer over a port can cost: answers come in the order of the questions. */
function rawRequests(port: MessagePort): (value: number) => Promise<number> {
  const waiting: ((value: number) => void)[] = [];
  port.on('message', (value: number) => waiting.shift()!(value));
  return (value) =>
    new Promise((resolve) => {
      waiting.push(resolve);
      port.postMessage({ kind: 'echo', value } satisfies Echo);
    });
}
