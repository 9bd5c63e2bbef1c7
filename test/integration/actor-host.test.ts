import { MessageChannel, Worker, type WorkerOptions } from 'node:worker_threads';
import { expect, onTestFinished, test } from 'vitest';
import { threadDataOf } from '../../src/supervisor/thread-data.ts';

const host = new URL('../../actors/host.ts', import.meta.url);

async function errorOf(options: WorkerOptions): Promise<unknown> {
  const worker = new Worker(host, options);
  onTestFinished(async () => void (await worker.terminate()));
  return new Promise((resolve) => worker.once('error', resolve));
}

test('the entry of scheduler threads refuses to run on the main thread', async () => {
  await expect(import(host.href)).rejects.toThrow('only the supervisor starts it');
});

test('a thread without workerData ends with what is missing', async () => {
  expect(await errorOf({})).toMatchObject({
    code: 'BROKEN',
    message:
      'workerData of a scheduler thread lacks actor, behavior, inbox, requests, control, scheduler, kat, events, mailbox, log, traces, clock',
  });
  const { port1 } = new MessageChannel();
  expect(() => threadDataOf({ actor: 'a', behavior: 'b', inbox: port1 }, false)).toThrow('lacks requests, control');
});
