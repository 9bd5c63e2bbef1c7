import { readdirSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { createProgram } from '../../src/cli/program.ts';
import { errorCodes } from '../../src/errors.ts';

const documents = new URL('../../docs/', import.meta.url);
const pages = ['../README.md', ...readdirSync(documents).filter((name) => name.endsWith('.md'))];
const notCalled = async () => {
  throw new Error('only looked at');
};

function commandLine(): Command {
  return createProgram({
    version: '0',
    startRota: notCalled,
    startPage: notCalled,
    connectRota: notCalled,
    createJetstreamPublisher: () => ({ publish: notCalled }),
    jetstreamPermissions: () => ({ supervisor: [], publisher: [] }),
  });
}

const program = commandLine();

function leaves(command: Command): readonly Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
}

/** `rota …` as a page shows it, in code spans and after a prompt; `a|b` means several. */
function shownOn(page: string): readonly (readonly string[])[] {
  const text = readFileSync(new URL(page, documents), 'utf8');
  const found = [...text.matchAll(/`(?:npx )?rota ([a-z][^`]*)`|\$ (?:npx )?rota ([a-z].*)$/gm)];
  // What a pipe leads to is another program's.
  const lines = found.map(([, span, prompt]) => (span ?? prompt)!.split(' | ')[0]!);
  return lines.flatMap((line) => {
    const words = [...line.matchAll(/'[^']*'|\S+/g)].map(([word]) => word.replaceAll("'", ''));
    const at = words.findIndex((word) => /^[a-z-]+(\|[a-z-]+)+$/.test(word));
    return at === -1 ? [words] : words[at]!.split('|').map((word) => words.with(at, word));
  });
}

/** Reads the words as the command line does, and calls nothing. @returns what it says against them */
async function complaintAbout(words: readonly string[]): Promise<string | null> {
  const line = commandLine();
  for (const command of [line, ...line.commands, ...leaves(line)]) {
    command.configureOutput({ writeOut: () => {}, writeErr: () => {} });
  }
  for (const command of leaves(line)) command.action(() => {});
  try {
    await line.parseAsync(['node', 'rota', ...words]);
    return null;
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    // A command may be named without what it takes.
    return code === 'commander.missingArgument' ? null : message;
  }
}

test.each(pages.filter((page) => shownOn(page).length > 0))(
  '%s shows commands that there are, as they are called',
  async (page) => {
    for (const words of shownOn(page)) expect(await complaintAbout(words), `rota ${words.join(' ')}`).toBeNull();
  },
);

test('the operations page shows every command', () => {
  const shown = new Set(
    shownOn('operations.md').map((words) =>
      leaves(program).find((leaf) => pathOf(leaf).every((name, at) => words[at] === name)),
    ),
  );
  const missing = leaves(program)
    .filter((leaf) => !shown.has(leaf))
    .map((leaf) => pathOf(leaf).join(' '));
  expect(missing).toEqual([]);
});

function pathOf(command: Command): readonly string[] {
  return command.parent === null ? [] : [...pathOf(command.parent), command.name()];
}

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

test('every exit code of an error has a row in the table', () => {
  const text = readFileSync(new URL('operations.md', documents), 'utf8');
  const rows = [...text.matchAll(/^\| (\d+) +\|/gm)].map(([, code]) => Number(code));
  const codes = new Set(Object.values(errorCodes).map(({ exit }) => exit));
  expect([...codes].filter((code) => !rows.includes(code))).toEqual([]);
});
