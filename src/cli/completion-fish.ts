import { type CommandEntry, type Flag, flagsWithValue, quoted, type Values } from './completion-entries.ts';

export const fishScript = (entries: readonly CommandEntry[]): string => `complete -c rota -f
function __rota_words
  # Of the command: without options and their values.
  set -l value 0
  for word in (commandline -opc)[2..-1]
    if test $value = 1
      set value 0
      continue
    end
    switch $word
      case ${flagsWithValue(entries).replaceAll('|', ' ')}
        set value 1
      case '-*'
      case '*'
        printf '%s\\n' $word
    end
  end
end
function __rota_names
  set -l via
  set -l flag
  for word in (commandline -opc)
    if test -n "$flag"
      set -a via $flag $word
      set flag
      continue
    end
    switch $word
      case --nats --prefix
        set flag $word
      case '--nats=*' '--prefix=*'
        set -a via $word
    end
  end
  set -l current (commandline -ct | string replace -r '^--[^=]*=' '')
  set -l rota (commandline -opc)[1]
  command $rota names --timeout 0.5 $via -- $argv[1] "$current" 2>/dev/null </dev/null | string match -v ''
end
${entries.flatMap(fishLines).join('\n')}
`;

function fishLines({ path, commands, options, values, takesFile }: CommandEntry): readonly string[] {
  const condition = fishCondition(path, commands);
  const complete = `complete -c rota -n '${condition}'`;
  return [
    ...commands.map(({ name, description }) => `${complete} -a ${name} -d '${quoted(description)}'`),
    ...options.map(
      ({ flag, description, value }) =>
        `${complete} -l ${flag.replace(/^--/, '')}${fishValue(value)} -d '${quoted(description)}'`,
    ),
    ...values.flatMap((value, at) =>
      value === null
        ? []
        : [
            `complete -c rota -n '${condition}; and test (count (__rota_words)) = ${path.length + at}' -a ${fishWords(value)}`,
          ],
    ),
    ...(takesFile ? [`${complete} -F`] : []),
  ];
}

function fishValue(value: Flag['value']): string {
  if (value === 'none') return '';
  if (value === 'path') return ' -r -F';
  return value === 'word' ? ' -x' : ` -x -a ${fishWords(value)}`;
}

function fishWords(values: Values): string {
  return 'names' in values ? `'(__rota_names ${values.names})'` : `'${values.words.join(' ')}'`;
}

function fishCondition(path: readonly string[], commands: CommandEntry['commands']): string {
  if (path.length === 0) return '__fish_use_subcommand';
  const seen = path.map((name) => `__fish_seen_subcommand_from ${name}`);
  const none =
    commands.length === 0 ? [] : [`not __fish_seen_subcommand_from ${commands.map(({ name }) => name).join(' ')}`];
  return [...seen, ...none].join('; and ');
}
