import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { scheduleCommands, type SchedulePorts } from '../../src/control/schedules.ts';
import { RotaError } from '../../src/errors.ts';

/** Ports of which the database goes away after so many patches. */
function portsUntil(patches: number) {
  const audited: object[] = [];
  let patched = 0;
  const ports = {
    inspection: {
      schedules: async (ids: readonly string[]) =>
        ids.map((id) => ({ id, organisation: 'acme', scheduler_id: 'boefje', enabled: true, schedule: null })),
    },
    schedules: {
      patch: async () => {
        patched += 1;
        if (patched > patches) throw new RotaError('DATABASE_UNAVAILABLE', 'the database does not answer');
        return '{}';
      },
    },
    supervision: { send: async () => ({ ok: true }) },
    audit: (command: string, _by: string | null, fields: object) => void audited.push({ command, ...fields }),
    now: () => 0,
  } as unknown as SchedulePorts;
  const ids = Array.from({ length: 40 }, () => randomUUID());
  const { 'change-schedules': command } = scheduleCommands(ports);
  const change = () => command.run({ action: 'disable', ids }, { by: 'ops', access: 'operate' });
  return { change, audited };
}

test('an outage in the middle: what was changed is answered and audited, and the rest is named with the reason', async () => {
  const { change, audited } = portsUntil(12);
  const { changed, refused } = await change();
  expect(changed).toBe(12);
  expect(refused).toHaveLength(28);
  expect(new Set(refused.map(({ code }) => code))).toEqual(new Set(['DATABASE_UNAVAILABLE']));
  expect(audited).toHaveLength(1);
});

test('an outage before anything was changed is the answer', async () => {
  const { change, audited } = portsUntil(0);
  await expect(change()).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
  expect(audited).toEqual([]);
});
