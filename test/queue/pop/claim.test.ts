import { expect, test } from 'vitest';
import { fit, type RawRow } from '../../../src/queue/pop/claim.ts';
import { roomBytes } from '../../../src/queue/queue.ts';

test('room is counted in bytes, not in characters', async () => {
  const task = '€'.repeat(roomBytes / 8);
  const lease = { attempts: 1, lease_id: 'lease', lease_until: '' };
  const rows = Array.from({ length: 8 }, (_, at): RawRow => {
    return {
      unit: at + 1,
      id: `${at}`,
      organisation: 'aa',
      ...lease,
      task,
      traceparent: null,
      waited: 0,
      rank: 2,
      plugin: '',
      image: '',
    };
  });
  // All tasks are there: nothing is read.
  const { kept, left } = await fit(undefined as never, rows);
  expect([kept.length, left.length]).toEqual([2, 6]);
});
