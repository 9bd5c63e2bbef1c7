import { expect, test } from 'vitest';
import { queueCommands, type QueuePorts } from '../../src/control/queues.ts';
import type { DeadLetters } from '../../src/events/dead-letters.ts';

const nested = (depth: number) => '['.repeat(depth) + '{"0":0}' + ']'.repeat(depth);

test.each([
  ['a list that nests without an end', nested(100_000)],
  ['an object that does', `{"a":${nested(100_000)}}`],
  ['a number', '7'],
  ['no JSON', 'no JSON'],
])('a dead letter that is %s is shown as its text, in an answer that can be written', async (_, body) => {
  const letter = { id: 'a', stream: 'raw_file_received', at: null, error: null, attempts: 1, body };
  const deadLetters = { list: async () => [letter] } as unknown as DeadLetters;
  const commands = queueCommands({ deadLetters, audit: () => {} } as unknown as QueuePorts);
  const list = commands.find(({ name }) => name === 'dead-letters');
  const answer = await list!.run({ limit: 20 } as never, { by: null });
  expect((JSON.parse(JSON.stringify(answer)) as { results: object[] }).results[0]).toEqual(letter);
});
