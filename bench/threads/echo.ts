import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { expose } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import { Mailbox, receive } from '../../src/mailbox/mailbox.ts';

export interface Echo {
  readonly kind: 'echo';
  readonly value: number;
}

export interface EchoPorts {
  readonly mailbox: MessagePort;
  readonly raw: MessagePort;
  readonly comlink: MessagePort;
}

/** The same trivial work behind a mailbox, a raw port and comlink. */
const ports = workerData as EchoPorts;
const mailbox = new Mailbox<Echo>(
  {
    echo: async (batch) => {
      for (const delivery of batch) delivery.done(delivery.message.value);
    },
  },
  {
    capacity: 1_000,
    batch: 100,
    crashed: (error) => {
      throw error;
    },
  },
);
receive(ports.mailbox, mailbox, { drain: (withinMs) => mailbox.drain(withinMs), stop: () => undefined });
ports.raw.on('message', (message: Echo) => ports.raw.postMessage(message.value));
expose({ echo: (value: number) => value }, nodeEndpoint(ports.comlink));
parentPort!.postMessage('ready');
