import { expect, test } from 'vitest';
import { readableLine } from '../../src/telemetry/log-line.ts';

test('a long line is cut between characters, in names too: a lone half would be escaped, and refused by what collects logs', () => {
  const long = `${'x'.repeat(1_999)}😀${'x'.repeat(10_000)}`;
  const line = readableLine(`${JSON.stringify({ level: 'error', reason: long, fields: { [long]: 1 } })}\n`, false);
  expect(line.length).toBeLessThan(8_192);
  expect(line).not.toMatch(/\\ud[89a-f]/i);
  expect(JSON.parse(line)).toMatchObject({ level: 'error' });
});
