import { Command, type Option } from 'commander';
import { oneOf } from './arguments.ts';
import { write } from './terminal.ts';

const shells = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof shells)[number];

/**
 * `rota completion`: a static script for the shell, generated from the commands. @bomb.sh/tab completes values too, but offers no
 * files, needs the bash-completion package, evaluates the typed line, and starts Node, half a second, at each Tab.
 */
export function completionCommand(): Command {
  return new Command('completion')
    .description('print a completion script')
    .argument('<shell>', shells.join(', '), oneOf(shells))
    .addHelpText('after', '\nExample:\n  source <(rota completion bash)')
    .action((shell: Shell, _options: unknown, command: Command) => {
      write(scripts[shell](entriesOf(command.parent!, [])));
    });
}

/** A command, and the words that may follow it. */
interface CommandEntry {
  readonly path: readonly string[];
  readonly description: string;
  readonly commands: readonly { readonly name: string; readonly description: string }[];
  readonly options: readonly Flag[];
  /** Its argument is a file: a dash completes to options, anything else to files. */
  readonly takesFile: boolean;
}

interface Flag {
  readonly flag: string;
  readonly description: string;
  readonly value: 'none' | 'word' | 'path';
}

function entriesOf(command: Command, path: readonly string[]): readonly CommandEntry[] {
  const children = command.commands;
  const own: CommandEntry = {
    path,
    description: command.description(),
    commands: children.map((child) => ({ name: child.name(), description: child.description() })),
    options: [...command.options.map(flagOf), { flag: '--help', description: 'display help', value: 'none' }],
    takesFile: command.registeredArguments.some((argument) => argument.name() === 'file'),
  };
  return [own, ...children.flatMap((child) => entriesOf(child, [...path, child.name()]))];
}

function flagOf({ long, flags, description }: Option): Flag {
  const value = /<(file|dir)>/.test(flags) ? 'path' : flags.includes('<') ? 'word' : 'none';
  return { flag: long ?? flags, description, value };
}

/** Options of any command whose value is a file or a folder. */
function pathFlags(entries: readonly CommandEntry[]): string {
  const flags = entries.flatMap(({ options }) => options.filter(({ value }) => value === 'path'));
  return [...new Set(flags.map(({ flag }) => flag))].join('|');
}

/** Commands that complete to files. */
const filesFor = (entries: readonly CommandEntry[]): readonly string[] =>
  entries.filter(({ takesFile }) => takesFile).map(({ path }) => `'${path.join(' ')}'`);

const scripts: Readonly<Record<Shell, (entries: readonly CommandEntry[]) => string>> = {
  bash: (entries) => `_rota() {
  local path="" word current="\${COMP_WORDS[COMP_CWORD]}"
  # Nothing of ours: bash then offers files.
  case "\${COMP_WORDS[COMP_CWORD-1]}" in ${pathFlags(entries)}) COMPREPLY=(); return ;; esac
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) ;; *) path="\${path:+$path }$word" ;; esac
  done
  local words=""
  while :; do
    case "$path" in
${entries.map((entry) => `      '${entry.path.join(' ')}') words='${wordsOf(entry).join(' ')}' ;;`).join('\n')}
    esac
    # What is no command is an argument: what may follow is what may follow the command before it.
    [ -n "$words" ] && break
    case "$path" in *' '*) path="\${path% *}" ;; *) path="" ;; esac
  done
  case "$current:$path" in -*) ;; ${filesFor(entries)
    .map((path) => `*:${path}`)
    .join('|')}) COMPREPLY=(); return ;; esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _rota rota
`,
  zsh: (entries) => `#compdef rota
_rota() {
  local line="\${(j: :)\${(@)words[2,CURRENT-1]:#-*}}"
  local -a choices
  case "$words[CURRENT-1]" in ${pathFlags(entries)}) _files; return ;; esac
  while :; do
    case "$line" in
${entries.map((entry) => `      '${entry.path.join(' ')}') choices=(${describedOf(entry).map(zshItem).join(' ')}) ;;`).join('\n')}
    esac
    (( \${#choices} )) && break
    [[ "$line" == *' '* ]] && line="\${line% *}" || line=""
  done
  case "$words[CURRENT]:$line" in -*) ;; ${filesFor(entries)
    .map((path) => `*:${path}`)
    .join('|')}) _files; return ;; esac
  _describe 'rota' choices
}
compdef _rota rota
`,
  fish: (entries) => `complete -c rota -f
${entries
  .flatMap(({ path, commands, options, takesFile }) => {
    const condition = fishCondition(path, commands);
    return [
      ...commands.map(
        ({ name, description }) => `complete -c rota -n '${condition}' -a ${name} -d '${quoted(description)}'`,
      ),
      ...options.map(
        ({ flag, description, value }) =>
          `complete -c rota -n '${condition}' -l ${flag.replace(/^--/, '')}${fishValues[value]} -d '${quoted(description)}'`,
      ),
      ...(takesFile ? [`complete -c rota -n '${condition}' -F`] : []),
    ];
  })
  .join('\n')}
`,
};

const fishValues = { none: '', word: ' -x', path: ' -r -F' } as const;

function wordsOf({ commands, options }: CommandEntry): readonly string[] {
  return [...commands.map(({ name }) => name), ...options.map(({ flag }) => flag)];
}

function describedOf({ commands, options }: CommandEntry): readonly (readonly [string, string])[] {
  return [
    ...commands.map(({ name, description }) => [name, description] as const),
    ...options.map(({ flag, description }) => [flag, description] as const),
  ];
}

function zshItem([word, description]: readonly [string, string]): string {
  return `'${word}:${quoted(description).replaceAll(':', '\\:')}'`;
}

function fishCondition(path: readonly string[], commands: CommandEntry['commands']): string {
  if (path.length === 0) return '__fish_use_subcommand';
  const seen = path.map((name) => `__fish_seen_subcommand_from ${name}`);
  const none =
    commands.length === 0 ? [] : [`not __fish_seen_subcommand_from ${commands.map(({ name }) => name).join(' ')}`];
  return [...seen, ...none].join('; and ');
}

/** A quote in a description would end the shell's string. */
function quoted(text: string): string {
  return text.replaceAll("'", '’');
}
