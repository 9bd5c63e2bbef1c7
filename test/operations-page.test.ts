import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { createProgram } from '../src/cli/program.ts';

const page = readFileSync(new URL('../docs/operations.md', import.meta.url), 'utf8');
const notCalled = async () => {
  throw new Error('only looked at');
};
const program = createProgram({
  version: '0',
  startRota: notCalled,
  connectRota: notCalled,
  createJetstreamPublisher: () => ({ publish: notCalled }),
});

/** The command that these words call, as deep as there are commands. */
function commandOf(words: readonly string[], from: Command = program): Command {
  const found = from.commands.find((command) => command.name() === words[0]);
  return found === undefined ? from : commandOf(words.slice(1), found);
}

function leaves(command: Command): readonly Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
}

/** `rota …` as the page shows it, in code spans and after a prompt; `a|b` stands for several. */
const shown = [...page.matchAll(/(?:`|\$ )rota ([a-z][^`\n]*)/g)].flatMap(([, text]) => {
  const words = text!.split(/\s+/);
  const at = words.findIndex((word) => /^[a-z-]+(\|[a-z-]+)+$/.test(word));
  if (at === -1) return [words];
  return words[at]!.split('|').map((word) => words.with(at, word));
});

test('the operations page names commands and options that there are', () => {
  expect(shown.length).toBeGreaterThan(30);
  for (const words of shown) {
    const command = commandOf(words);
    expect(command, words.join(' ')).not.toBe(program);
    const group = command.commands.length > 0 ? words[1] : undefined;
    expect(group, words.join(' ')).toBeUndefined();
    const options = words.filter((word) => word.startsWith('--'));
    const known = command.options.map(({ long }) => long);
    expect(known, words.join(' ')).toEqual(expect.arrayContaining(options));
  }
});

test('every command shows an example of itself in its help', () => {
  for (const command of leaves(program)) {
    let help = '';
    command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
    expect(help, command.name()).toMatch(
      new RegExp(`Example:\n  .*rota .*${command.name()}|Example:\n  .*${command.name()}`),
    );
  }
});

test('every command that talks to a running Rota takes the same options', () => {
  for (const command of leaves(program)) {
    const options = command.options.map(({ long }) => long);
    if (options.includes('--nats'))
      expect(options).toEqual(expect.arrayContaining(['--prefix', '--timeout', '--json']));
  }
});
