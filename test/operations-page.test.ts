import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const entry = fileURLToPath(new URL('../src/cli.ts', import.meta.url));
const page = readFileSync(new URL('../docs/operations.md', import.meta.url), 'utf8');

/** `rota …` as the page shows it: in code spans and after a prompt. */
const commands = [...page.matchAll(/(?:`|\$ )rota ([a-z][^`\n]*)/g)].map(([, words]) =>
  words!.replaceAll('|', ' | ').trim(),
);

function help(path: readonly string[]): string {
  return execFileSync(process.execPath, [entry, ...path, '--help'], { encoding: 'utf8' });
}

const helps = new Map<string, string>();
function helpOf(words: readonly string[]): string {
  const path = words.filter((word) => /^[a-z][a-z-]*$/.test(word)).slice(0, grouped.has(words[0]!) ? 2 : 1);
  const key = path.join(' ');
  const known = helps.get(key) ?? help(path);
  helps.set(key, known);
  return known;
}

const grouped = new Set(['tasks', 'schedules', 'actors', 'dead']);

describe('every command that the operations page names', () => {
  const shown = [...new Set(commands)].filter((command) => !command.includes(' | '));

  test('is there, with its options', { timeout: 120_000 }, () => {
    expect(shown.length).toBeGreaterThan(15);
    for (const command of shown) {
      const words = command.split(/\s+/);
      const text = helpOf(words);
      expect(text, command).toMatch(new RegExp(`^Usage: rota ${words[0]}`));
      for (const option of command.match(/--[a-z-]+/g) ?? []) expect(text, command).toContain(option);
    }
  });
});

test('every command shows an example in its help', { timeout: 120_000 }, () => {
  const names = [...help([]).matchAll(/^ {2}([a-z]+) (?:\[|<| )/gm)]
    .map(([, name]) => name!)
    .filter((it) => it !== 'help');
  expect(names).toEqual(expect.arrayContaining(['status', 'explain', 'tasks', 'pause', 'doctor']));
  for (const name of names) expect(help([name]), name).toContain('Example:\n  ');
});
