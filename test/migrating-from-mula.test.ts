import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { furtherDifferences, intendedDifferences } from './fixtures/intended-differences.ts';

const guide = readFileSync(new URL('../docs/migrating-from-mula.md', import.meta.url), 'utf8');

/** Rows of the table below a heading, without its head. */
function rowsBelow(heading: string): readonly (readonly string[])[] {
  const section = guide.split(`\n## ${heading}\n`)[1]!.split('\n## ')[0]!;
  return section
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .slice(2)
    .map((line) =>
      line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim().replaceAll(String.raw`\|`, '|')),
    );
}

test('the guide lists every intended difference, and no other: what the replay of recorded answers tolerates', () => {
  const expected = [...intendedDifferences, ...furtherDifferences].map(({ when, mula, rota, why }) => [
    when,
    mula,
    rota,
    why,
  ]);
  expect(rowsBelow('What answers differently')).toEqual(
    // Two recorded requests may show the same difference.
    expected.filter((row, n) => expected.findIndex((other) => other.join() === row.join()) === n),
  );
});
