import { MessageChannel } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { ControlClient, serveControl } from '../../src/supervisor/thread-control.ts';
import { next } from '../../src/telemetry/events.ts';
import { supervise } from '../support/actors.ts';

test("an operator sees an actor's lanes, heap and log level, and sets the level, while a handler hangs", async () => {
  const supervisor = await supervise('unruly');
  const started = next('actor.started');
  supervisor.start();
  await started;
  await supervisor.send('unruly', { kind: 'correct-schedules', ids: ['hang'] });
  expect(await supervisor.setLogLevel('unruly', 'debug')).toMatchObject({ outcome: 'reply' });
  await expect
    .poll(() => supervisor.inspect('unruly'))
    .toMatchObject({
      outcome: 'reply',
      result: {
        value: {
          lanes: [{ kind: 'correct-schedules', queued: 0, inHand: 1, oldestMs: 0 }],
          streams: [],
          services: [],
          heapBytes: expect.any(Number),
          logLevel: 'debug',
          requests: { pending: 0, lateReplies: 0 },
        },
      },
    });
});

test('a call to a thread that died settles as terminated', async () => {
  const supervisor = await supervise('unruly');
  const started = next('actor.started');
  supervisor.start();
  await started;
  await supervisor.send('unruly', { kind: 'correct-schedules', ids: ['spin'] });
  const inspection = supervisor.inspect('unruly');
  await supervisor.terminate();
  expect(await inspection).toEqual({ outcome: 'terminated' });
  expect(await supervisor.inspect('unruly')).toEqual({ outcome: 'terminated' });
});

test('a call without an answer ends at its deadline', async () => {
  const { port1, port2 } = new MessageChannel();
  const client = new ControlClient(port1);
  expect(await client.status(1)).toEqual({ outcome: 'timeout' });
  port2.close();
  expect(await client.status(60_000)).toEqual({ outcome: 'terminated' });
});

test('an error in the thread is a failure with its message', async () => {
  const { port1, port2 } = new MessageChannel();
  serveControl(port2, {
    status: () => {
      throw new Error('no status');
    },
    setLogLevel: () => undefined,
    writeHeapSnapshot: () => '',
  });
  const client = new ControlClient(port1);
  expect(await client.status(10_000)).toMatchObject({ result: { ok: false, failure: { message: 'no status' } } });
  client.close();
});
