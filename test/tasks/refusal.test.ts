import { expect, test } from 'vitest';
import { unfinishedReason } from '../../src/tasks/refusal.ts';
import { isFinished, taskStatuses } from '../../src/tasks/task.ts';

test('a hash gets no other task while its latest one is unfinished, whatever its status', () => {
  for (const status of taskStatuses)
    expect([status, unfinishedReason(status) === null]).toEqual([status, isFinished(status)]);
  expect([unfinishedReason('queued'), unfinishedReason(undefined)]).toEqual(['already-queued', null]);
});
