import { expect, test } from 'vitest';
import { failureOf } from '../../src/mailbox/failure.ts';

test('a long message is cut between characters: half of one is no UTF-8, and other programs refuse it', () => {
  const { message } = failureOf(new Error(`${'x'.repeat(1_999)}😀${'x'.repeat(10)}`));
  expect(message.isWellFormed()).toBe(true);
  expect(message.length).toBe(2_001);
});
