import { expect, onTestFinished, test } from 'vitest';
import { next, on } from '../../src/telemetry/events.ts';
import type { Supervisor } from '../../src/supervisor/supervisor.ts';
import { backendOf, supervise } from '../support/actors.ts';
import { manualTimers } from '../support/timers.ts';

/** Pings often, and is as patient as a busy machine needs. */
const quick = { pingEveryMs: 20, pingWithinMs: 2_000 };
const command = (id: string) => ({ kind: 'correct-schedules', ids: [id] }) as const;

async function started(supervisor: Supervisor, ...actors: string[]): Promise<void> {
  const all = actors.map((actor) => next('actor.started', (event) => event.actor === actor));
  supervisor.start();
  await Promise.all(all);
}

/** Resolves when an actor asks for the schedule of that id: proof that it handles messages. */
function whenAsked() {
  const { promise, resolve } = Promise.withResolvers<string>();
  return { asked: promise, backend: backendOf({ 'read-schedules': async (_, { ids }) => (resolve(ids[0]!), []) }) };
}

test.for([
  ['throw', { code: 'RANK_FAILED', message: 'a bug' }],
  ['reject', { code: 'BROKEN', message: 'not caught' }],
  ['exit', { code: 'ACTOR_TERMINATED', message: 'the thread exited with code 7' }],
  ['hoard', { code: 'ERR_WORKER_OUT_OF_MEMORY' }],
  ['spin', { code: 'ASK_TIMEOUT', message: 'two pings unanswered for 2000 ms each' }],
] as const)('an actor that does "%s" dies alone and is started again', async ([mischief, reason]) => {
  const { asked, backend } = whenAsked();
  const supervisor = await supervise('steady,unruly', { backend, supervising: quick, maxHeapMb: 32 });
  await started(supervisor, 'steady', 'unruly');
  const stopped = next('actor.stopped');
  const again = next('actor.started');
  await supervisor.send('unruly', command(mischief));
  expect(await stopped).toMatchObject({ actor: 'unruly', ...reason });
  expect(await again).toMatchObject({ actor: 'unruly', restarts: 1 });
  await supervisor.send('steady', command('still here'));
  expect(await asked).toBe('still here');
  expect(supervisor.status()).toMatchObject([
    { name: 'steady', phase: 'running', restarts: 0, lastFailure: null },
    { name: 'unruly', phase: 'running', restarts: 1, lastFailure: reason },
  ]);
});

test('a handler that waits forever, or fails retryably, is no reason to restart its actor', async () => {
  const supervisor = await supervise('unruly', { supervising: quick });
  await started(supervisor, 'unruly');
  const lane = () => expect.poll(() => supervisor.inspect('unruly'));
  await supervisor.send('unruly', command('fail'));
  await lane().toMatchObject({ result: { value: { lanes: [{ failed: 1, inHand: 0 }] } } });
  await supervisor.send('unruly', command('hang'));
  await lane().toMatchObject({ result: { value: { lanes: [{ failed: 1, inHand: 1 }] } } });
  expect(supervisor.status()).toMatchObject([{ phase: 'running', restarts: 0 }]);
});

test('an actor that fails six times within a minute is down, and is tried once a minute', async () => {
  const timers = manualTimers();
  const supervisor = await supervise('steady,unimportable', { supervising: { ...quick, timers } });
  const gaveUp: unknown[] = [];
  on('actor.gave-up', (event) => gaveUp.push(event));
  await started(supervisor, 'steady');
  for (let failures = 1; failures <= 5; failures++) {
    await timers.next();
    expect(supervisor.status()[1]).toMatchObject({ phase: 'restarting', restarts: failures - 1 });
    timers.fire();
  }
  await timers.next();
  const down = { name: 'actor.gave-up', actor: 'unimportable', restarts: 5, retryInMs: 60_000 };
  expect(gaveUp).toEqual([down]);
  expect(supervisor.status()).toMatchObject([
    { name: 'steady', phase: 'running' },
    { name: 'unimportable', phase: 'down', retryAt: timers.now() + 60_000, lastFailure: { code: 'BAD_CONFIG' } },
  ]);
  expect(await supervisor.send('unimportable', { kind: 'reschedule' })).toMatchObject({
    failure: { code: 'ACTOR_TERMINATED', message: 'unimportable is down' },
  });
  timers.fire();
  await timers.next();
  expect(gaveUp).toEqual([down, { ...down, restarts: 6 }]);
});

test('a drain stops clocks, empties the mailbox, and waits for the push that is in flight', async () => {
  const asking = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<[]>();
  const pushed: unknown[] = [];
  const backend = backendOf({
    'read-schedules': () => {
      asking.resolve();
      return answer.promise;
    },
    'push-tasks': async (scheduler, { tasks }) => {
      pushed.push({ scheduler, tasks });
      return [];
    },
  });
  const supervisor = await supervise('slow', { backend });
  await started(supervisor, 'slow');
  await supervisor.send('slow', command('in hand'));
  await asking.promise;
  await supervisor.send('slow', command('queued'));
  const drained = supervisor.drain(30_000);
  expect(await supervisor.send('slow', command('late'))).toMatchObject({ ok: false });
  answer.resolve([]);
  await drained;
  expect(pushed).toEqual(
    ['in hand', 'queued'].map((id) => ({ scheduler: 'slow', tasks: [{ organisation: 'aa', data: { id } }] })),
  );
  expect(supervisor.status()).toMatchObject([{ phase: 'stopped', restarts: 0, lastFailure: null }]);
});

test('a drain signals a handler that has much left to do, and need not wait for all of it', async () => {
  const looking = Promise.withResolvers<void>();
  const backend = backendOf({ 'seen-boefjes': async () => (looking.resolve(), []) });
  const supervisor = await supervise('slow', { backend });
  await started(supervisor, 'slow');
  await supervisor.send('slow', { kind: 'look-for-new-boefjes' });
  await looking.promise;
  // Without the signal the handler goes on forever: the drain would take all of its time, which is longer than a test has.
  await supervisor.drain(60_000);
  expect(supervisor.status()).toMatchObject([{ phase: 'stopped', lastFailure: null }]);
});

test('a drain ends in time whatever the actors do, and a restart is not due any more', async () => {
  const timers = manualTimers();
  const supervisor = await supervise('unruly,unimportable', { supervising: { timers } });
  await started(supervisor, 'unruly');
  await supervisor.send('unruly', command('spin'));
  await timers.next();
  await supervisor.drain(1);
  expect(supervisor.status()).toMatchObject([{ phase: 'stopped' }, { phase: 'stopped' }]);
  expect(timers.pending()).toBe(0);
});

test("an operator's restart drains the actor and starts it again, and counts as no failure", async () => {
  const supervisor = await supervise('steady');
  await started(supervisor, 'steady');
  const stopped = next('actor.stopped');
  const again = next('actor.started');
  await supervisor.restart('steady');
  expect(await stopped).toMatchObject({ code: 'STOPPED' });
  expect(await again).toMatchObject({ restarts: 1 });
  expect(supervisor.status()).toMatchObject([{ phase: 'running', lastFailure: null }]);
});

test("an operator's kill is a crash like any other: it is counted, and the actor comes back by the policy", async () => {
  const supervisor = await supervise('steady');
  await started(supervisor, 'steady');
  const stopped = next('actor.stopped');
  const again = next('actor.started');
  await supervisor.kill('steady');
  expect(await stopped).toMatchObject({ code: 'KILLED' });
  expect(await again).toMatchObject({ restarts: 1 });
  expect(supervisor.status()).toMatchObject([{ phase: 'running', lastFailure: { code: 'KILLED' } }]);
});

test('a drain during a restart is final: the actor stays stopped', async () => {
  const supervisor = await supervise('steady');
  await started(supervisor, 'steady');
  await Promise.all([supervisor.restart('steady'), supervisor.drain(30_000)]);
  expect(supervisor.status()).toMatchObject([{ phase: 'stopped', restarts: 0 }]);
  await supervisor.restart('steady');
  expect(supervisor.status()).toMatchObject([{ phase: 'stopped', restarts: 0 }]);
});

test('a failing backend is the answer to the asking actor, never the end of the supervisor', async () => {
  let calls = 0;
  const supervisor = await supervise('steady', {
    backend: backendOf({
      'read-schedules': async () => {
        calls += 1;
        throw Object.assign(new Error('no database'), { code: 'DATABASE_UNAVAILABLE', retryable: true });
      },
    }),
  });
  await started(supervisor, 'steady');
  await supervisor.send('steady', command('a'));
  await expect
    .poll(() => supervisor.inspect('steady'))
    .toMatchObject({ result: { value: { lanes: [{ failed: 1, inHand: 0 }] } } });
  expect(calls).toBe(1);
  expect(supervisor.status()).toMatchObject([{ phase: 'running', restarts: 0 }]);
});

test('an actor that does not exist is not found, and the error names those that do', async () => {
  const supervisor = await supervise('steady,slow');
  await expect(supervisor.restart('absent')).rejects.toMatchObject({
    code: 'NOT_FOUND',
    message: "no actor 'absent': there is slow, steady",
  });
});

test('declined tasks are counted in their thread and reported in sets', async () => {
  const supervisor = await supervise('unruly');
  await started(supervisor, 'unruly');
  const refused = ['grace-period', 'ooi-gone'].map((reason) =>
    next('tasks.refused', (event) => event.reason === reason),
  );
  await supervisor.send('unruly', command('refuse'));
  expect(await Promise.all(refused)).toMatchObject([
    { scheduler: 'unruly', reason: 'grace-period', count: 2 },
    { scheduler: 'unruly', reason: 'ooi-gone', count: 1 },
  ]);
});

test('without KAT a call fails with SERVICE_UNAVAILABLE and the actor lives on', async () => {
  const { asked, backend } = whenAsked();
  const supervisor = await supervise('unruly', { backend });
  await started(supervisor, 'unruly');
  await supervisor.send('unruly', command('ask katalogus'));
  expect(await asked).toBe('SERVICE_UNAVAILABLE');
});

test('two restarts of an actor start one new thread, not two, though the second comes as the old one ends', async () => {
  const supervisor = await supervise('steady', { supervising: quick });
  await started(supervisor, 'steady');
  let ended = 0;
  onTestFinished(on('actor.stopped', () => ended++));
  const second = next('actor.stopped').then(() => supervisor.restart('steady'));
  const again = next('actor.started');
  await Promise.all([supervisor.restart('steady'), second]);
  await again;
  expect(supervisor.status()).toMatchObject([{ phase: 'running', restarts: 1 }]);
  await supervisor.drain(1_000);
  expect(ended).toBe(2);
});
