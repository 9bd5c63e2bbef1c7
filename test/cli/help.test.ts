import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { createProgram } from '../../src/cli/program.ts';

/** Each command with those below it, by how it is called. */
function all(command: Command, path: string): readonly (readonly [string, Command])[] {
  return [[path, command], ...command.commands.flatMap((one) => all(one, `${path} ${one.name()}`))];
}

const program = createProgram({ version: '0.1.0' } as Parameters<typeof createProgram>[0]);
const commands = program.commands.flatMap((command) => all(command, `rota ${command.name()}`));

/** As a terminal shows it, and without a terminal's width. */
function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({ writeOut: (part) => (text += part) });
  command.outputHelp();
  return text;
}

test('the help of each command ends with an example that calls it', () => {
  expect(commands.length).toBeGreaterThan(40);
  for (const [path, command] of commands) {
    const [, example] = /\nExamples?:\n([^]+)$/.exec(helpOf(command)) ?? [];
    expect(example, `${path} --help has no example`).toBeDefined();
    expect(example, path).toContain(path);
  }
});
