import { globSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { createProgram } from '../../src/cli/program.ts';
import { filterOptions } from '../../src/page/task-filter.ts';

const notCalled = async () => {
  throw new Error('only looked at');
};
const program = createProgram({
  version: '0',
  startRota: notCalled,
  startPage: notCalled,
  connectRota: notCalled,
  createJetstreamPublisher: () => ({ publish: notCalled }),
  jetstreamPermissions: () => ({ supervisor: [], publisher: [] }),
});

/** What of it there is not; null where a shell could run it, with the arguments that it needs. */
function faultOf(words: readonly string[]): string | null {
  let command: Command = program;
  let rest = words;
  while (command.commands.length > 0) {
    const [name, ...after] = rest;
    const found = command.commands.find((it) => it.name() === name);
    // `rota dead` is a group: a sentence may name it.
    if (found === undefined) return command === program || name !== undefined ? `no command ${name}` : null;
    command = found;
    rest = after;
  }
  const options = rest.filter((word) => word.startsWith('--'));
  const unknown = options.find((option) => !command.options.some(({ long }) => long === option));
  if (unknown !== undefined) return `no option ${unknown}`;
  const given = rest.length - options.length;
  return given > 0 && command.registeredArguments.length === 0 && options.length === 0 ? 'takes no argument' : null;
}

const sources = globSync('src/{control,page,observation,cli}/**/*.ts').map((path) => ({
  path,
  text: readFileSync(path, 'utf8').replaceAll(/^\s*(?:\/\*\*|\*|\/\/).*$/gm, ''),
}));

test('every command that advice and pages name is one of rota, and has the options that are named', () => {
  const named = sources.flatMap(({ path, text }) =>
    [...text.matchAll(/(?<![\w`])rota ([a-z][a-z-]*)((?: (?:[a-z][a-z-]*|--[a-z][a-z-]*))*)/g)]
      .filter(({ 1: first }) => program.commands.some((it) => it.name() === first) || path.includes('control'))
      .map(([, first, more]) => ({ path, words: [first!, ...more!.trim().split(' ').filter(Boolean)] })),
  );
  expect(named.length).toBeGreaterThan(30);
  const faults = named.flatMap(({ path, words }) => {
    // Of a sentence only the words up to the end of the command, and its options, are the command.
    const group = program.commands.find((it) => it.name() === words[0]);
    const sub = group?.commands.find((it) => it.name() === words[1]);
    const command = sub === undefined ? words.slice(0, 1) : words.slice(0, 2);
    const fault = faultOf([...command, ...words.filter((word) => word.startsWith('--'))]);
    const isGroup = group !== undefined && group.commands.length > 0 && sub === undefined;
    return fault === null || isGroup ? [] : [`${path}: rota ${words.join(' ')}: ${fault}`];
  });
  expect(faults).toEqual([]);
});

test('the command that stands below a page can be run', () => {
  const commands = sources
    .filter(({ path }) => path.startsWith('src/page/views/'))
    .flatMap(({ path, text }) =>
      [...text.matchAll(/command: \[\s*'rota',([^]*?)\],\n/g)].map(([, list]) => {
        return { path, words: [...list!.matchAll(/'([a-z-]+)'/g)].map(([, word]) => word!) };
      }),
    );
  expect(commands.length).toBeGreaterThan(6);
  expect(commands.map(({ path, words }) => [path, faultOf(words)])).toEqual(commands.map(({ path }) => [path, null]));
  const filter = {
    status: 'failed',
    plugin: 'dns',
    scheduler: 'boefje',
    organisation: 'acme',
    ooi: 'x',
    from: 'x',
    to: 'x',
  } as const;
  expect(
    faultOf(['tasks', 'list', ...filterOptions(filter as never).filter((word) => word.startsWith('--'))]),
  ).toBeNull();
  const ofSchedules = ['--scheduler', '--organisation', '--boefje', '--ooi'];
  expect(faultOf(['schedules', 'list', ...ofSchedules])).toBeNull();
});
