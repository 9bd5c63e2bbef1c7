import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { scheduleCommands, type SchedulePorts } from '../../src/control/schedules.ts';
import { RotaError } from '../../src/errors.ts';

/** Of 40 schedules the first is unknown, the second disabled and the third deleted while they are changed. */
function portsUnderTest(failure: RotaError | null = null) {
  const audited: object[] = [];
  const asked: (readonly string[])[] = [];
  const sent: string[] = [];
  const ids = Array.from({ length: 40 }, () => randomUUID());
  const ports = {
    inspection: {
      schedules: async (of: readonly string[]) =>
        of.slice(1).map((id) => ({
          id,
          organisation: 'acme',
          scheduler_id: 'boefje',
          enabled: id !== ids[1],
          disabled_reason: 'person',
          schedule: null,
        })),
    },
    schedules: {
      patchAll: async (of: readonly string[]) => {
        asked.push(of);
        if (failure !== null) throw failure;
        return new Set(of.filter((id) => id !== ids[2]));
      },
    },
    supervision: { send: async (scheduler: string) => void sent.push(scheduler) },
    audit: (command: string, _by: string | null, fields: object) => void audited.push({ command, ...fields }),
    now: () => 0,
  } as unknown as SchedulePorts;
  const { 'change-schedules': command } = scheduleCommands(ports);
  const change = (action: 'run' | 'disable') => command.run({ action, ids }, { by: 'ops', access: 'operate' });
  return { change, ids, asked, audited, sent };
}

test('many schedules are changed by one statement; those that may not be are named, each with its reason', async () => {
  const { change, ids, asked, audited, sent } = portsUnderTest();
  const { changed, refused } = await change('run');
  expect(changed).toBe(37);
  expect(refused.map(({ id, code }) => [id, code])).toEqual([
    [ids[0], 'NOT_FOUND'],
    [ids[1], 'CONFLICT'],
    [ids[2], 'NOT_FOUND'],
  ]);
  expect(asked).toEqual([ids.slice(2)]);
  expect(sent).toEqual(['boefje']);
  expect(audited).toMatchObject([{ command: 'run-schedules', schedules: 37, ids: ids.slice(3, 23) }]);
  expect(await change('disable')).toMatchObject({ changed: 38 });
});

test('an outage is the answer: nothing was changed, and the audit says nothing', async () => {
  const { change, audited } = portsUnderTest(new RotaError('DATABASE_UNAVAILABLE', 'the database does not answer'));
  await expect(change('disable')).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
  expect(audited).toEqual([]);
});
