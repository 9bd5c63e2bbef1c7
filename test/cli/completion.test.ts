import { execFileSync } from 'node:child_process';
import { Command } from 'commander';
import { beforeEach, expect, test, vi } from 'vitest';
import { completionCommand } from '../../src/cli/completion.ts';
import { pauseCommand } from '../../src/cli/pauses.ts';
import { tasksCommand } from '../../src/cli/tasks.ts';

let script = '';

beforeEach(() => {
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    script += String(text);
    return true;
  });
  script = '';
});

async function scriptFor(shell: string): Promise<string> {
  const program = new Command('rota')
    .addCommand(tasksCommand())
    .addCommand(pauseCommand())
    .addCommand(completionCommand());
  await program.parseAsync(['node', 'rota', 'completion', shell]);
  return script;
}

test.each<[string, string[]]>([
  ['', ['tasks', 'pause', 'completion', '--help']],
  ['ta', ['tasks']],
  ['tasks ', ['list', 'show', 'cancel', 'retry', 'release', '--help']],
  ['tasks list --st', ['--status']],
  // An argument is none of the commands: the options of the command before it are offered.
  ['pause boefje --org', ['--organisation']],
])('bash completes `rota %s`', async (typed, offered) => {
  const words = ['rota', ...typed.split(' ')].map((word) => `'${word}'`).join(' ');
  const ask = `COMP_WORDS=(${words}); COMP_CWORD=$((\${#COMP_WORDS[@]}-1)); _rota; echo "\${COMPREPLY[@]}"`;
  const output = execFileSync('bash', ['-c', `${await scriptFor('bash')}\n${ask}`], { encoding: 'utf8' });
  expect(output.trim().split(' ')).toEqual(offered);
});

test.each(['zsh', 'fish'])('%s is told of every command and option', async (shell) => {
  const text = await scriptFor(shell);
  for (const word of ['tasks', 'cancel', 'pause', 'older-than', 'organisation']) expect(text).toContain(word);
});
