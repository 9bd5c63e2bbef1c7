import { expect, test } from 'vitest';
import { Restarts } from '../../src/cli/demo/restarts.ts';

/** A supervisor whose counts begin at zero in each process, as the real one's do. */
function fakeSupervisor() {
  const supervisor = {
    restarts: 0,
    actor: 0,
    restart: async () => {
      supervisor.restarts += 1;
      supervisor.actor = 0;
    },
  };
  const client = {
    ctl: async <T>(command: string) => {
      if (command === 'kill-actor') supervisor.actor += 1;
      const calm = { phase: 'running', restarts: 0 };
      const actors = [
        { name: 'boefje', phase: 'running', restarts: supervisor.actor },
        { name: 'normalizer', ...calm },
        { name: 'report', ...calm },
      ];
      return { instance: `process-${supervisor.restarts}`, actors } as T;
    },
  };
  return { supervisor, client };
}

const { signal } = new AbortController();

test('restarts of an actor are counted over every process that the supervisor was', async () => {
  const { supervisor, client } = fakeSupervisor();
  const restarts = new Restarts(client, supervisor);
  await restarts.killActor('boefje', signal);
  await restarts.killActor('boefje', signal);
  await restarts.restartSupervisor(signal);
  await restarts.killActor('boefje', signal);
  expect(restarts.counts()).toEqual({
    boefje: { restarts: 3 },
    normalizer: { restarts: 0 },
    report: { restarts: 0 },
    supervisor: { restarts: 1 },
  });
});

test('a restart that the demo did not order counts, too', async () => {
  const { supervisor, client } = fakeSupervisor();
  const restarts = new Restarts(client, supervisor);
  supervisor.actor = 2;
  await restarts.restartSupervisor(signal);
  expect(restarts.counts()['boefje']).toEqual({ restarts: 2 });
});
