import type { Argument, Command, Option } from 'commander';
import type { NameKind } from './names.ts';

/** A command, and the words that may follow it. */
export interface CommandEntry {
  readonly path: readonly string[];
  readonly description: string;
  readonly commands: readonly { readonly name: string; readonly description: string }[];
  readonly options: readonly Flag[];
  /** Of each argument; null where none can be offered. */
  readonly values: readonly (Values | null)[];
  /** Its argument is a file: a dash completes to options, anything else to files. */
  readonly takesFile: boolean;
}

export interface Flag {
  readonly flag: string;
  readonly description: string;
  readonly value: 'none' | 'word' | 'path' | Values;
}

/** What a supervisor is asked for, or words that are known. */
export type Values = { readonly names: NameKind } | { readonly words: readonly string[] };

/** Of a command and all below it. */
export function entriesOf(command: Command, path: readonly string[]): readonly CommandEntry[] {
  const children = command.commands;
  const own: CommandEntry = {
    path,
    description: command.description(),
    commands: children.map((child) => ({ name: child.name(), description: child.description() })),
    options: [...command.options.map(flagOf), { flag: '--help', description: 'display help', value: 'none' }],
    values: command.registeredArguments.map(argumentValues),
    takesFile: command.registeredArguments.some((argument) => argument.name() === 'file'),
  };
  return [own, ...children.flatMap((child) => entriesOf(child, [...path, child.name()]))];
}

function flagOf(option: Option): Flag {
  const { long, flags, description } = option;
  const flag = long ?? flags;
  if (/<(file|dir)>/.test(flags)) return { flag, description, value: 'path' };
  if (!flags.includes('<')) return { flag, description, value: 'none' };
  const kind = kindOfOption[flag];
  return { flag, description, value: kind === undefined ? (choicesOf(option) ?? 'word') : { names: kind } };
}

/** Options mean the same in every command. */
const kindOfOption: Readonly<Record<string, NameKind | undefined>> = {
  '--scheduler': 'scheduler',
  '--organisation': 'organisation',
  '--boefje': 'boefje',
  '--normalizer': 'boefje',
  '--instance': 'instance',
};

const kindOfArgument: Readonly<Record<string, NameKind | undefined>> = {
  scheduler: 'scheduler',
  organisation: 'organisation',
  actor: 'actor',
  instance: 'instance',
};

function argumentValues(argument: Argument): Values | null {
  const kind = kindOfArgument[argument.name()];
  return kind === undefined ? choicesOf(argument) : { names: kind };
}

/** Of what `oneOf` parses. */
function choicesOf({ parseArg }: Argument | Option): Values | null {
  const { choices } = (parseArg ?? {}) as { readonly choices?: readonly string[] };
  return choices === undefined ? null : { words: choices };
}

export function flagsWithValue(entries: readonly CommandEntry[]): string {
  return flagsOf(entries, ({ value }) => value !== 'none').join('|');
}

export function flagsOf(entries: readonly CommandEntry[], wanted: (flag: Flag) => boolean): readonly string[] {
  return [...new Set(entries.flatMap(({ options }) => options.filter(wanted)).map(({ flag }) => flag))];
}

/** A quote in a description would end the shell's string. */
export function quoted(text: string): string {
  return text.replaceAll("'", '’');
}
