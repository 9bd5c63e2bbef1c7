import { expect, test } from 'vitest';
import { isFinished } from '../../src/tasks/task.ts';

test('lessons 0.1: cancelled counts as finished', () => {
  expect(isFinished('cancelled')).toBe(true);
});
