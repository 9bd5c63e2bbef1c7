import { describe, expect, test } from 'vitest';
import { finishedStatuses, isFinished, mayFollow, taskStatuses } from '../../src/tasks/task.ts';

describe('lessons 1: a finished task may only be retried', () => {
  test.each(finishedStatuses)('from %s only queued, and the same again', (from) => {
    expect(taskStatuses.filter((to) => mayFollow(from, to))).toEqual(
      taskStatuses.filter((to) => to === 'queued' || to === from),
    );
  });
});

test('from an unfinished state any state may follow', () => {
  for (const from of taskStatuses.filter((status) => !isFinished(status))) {
    expect(taskStatuses.every((to) => mayFollow(from, to))).toBe(true);
  }
});

test('lessons 0.1: cancelled counts as finished', () => {
  expect(isFinished('cancelled')).toBe(true);
});
