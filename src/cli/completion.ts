import { Command } from 'commander';
import { oneOf } from './arguments.ts';
import { type CommandEntry, entriesOf, flagsOf, flagsWithValue, quoted, type Values } from './completion-entries.ts';
import { fishScript } from './completion-fish.ts';
import { write } from './terminal.ts';

const shells = ['bash', 'zsh', 'fish'] as const;

/**
 * `rota completion`: a static script for the shell, generated from the commands; only names (organisations, boefjes, …) are asked of a
 * supervisor, by `rota names`. @bomb.sh/tab offers no files, needs the bash-completion package, evaluates the typed line, and
 * starts Node, half a second, at each Tab.
 */
export function completionCommand(): Command {
  return new Command('completion')
    .description('print a completion script')
    .argument('<shell>', shells.join(', '), oneOf(shells))
    .addHelpText('after', '\nExample:\n  source <(rota completion bash)')
    .action((shell: (typeof shells)[number], _options: unknown, command: Command) => {
      write(scripts[shell](entriesOf(command.parent!, [])));
    });
}

/**
 * Each walks over the typed words: the values of options are none of the command's. Names come from outside: no shell may evaluate
 * them, as bash's `compgen -W` does. What cannot be asked within half a second is not offered.
 */
const scripts: Readonly<Record<(typeof shells)[number], (entries: readonly CommandEntry[]) => string>> = {
  bash: (entries) => `_rota() {
  local path="" word flag="" current words="" values="" kept at=0 glue=""
  local -a typed=() via=()
  COMPREPLY=()
  # bash splits words at : and =, which addresses and images have.
  for word in "\${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
    if [[ \${#typed[@]} -gt 0 && ( -n "$glue" || "$word" =~ ^[:=]+$ ) ]]; then
      typed[\${#typed[@]}-1]+="$word"
    else
      typed+=("$word")
    fi
    [[ "$word" =~ ^[:=]+$ ]] && glue=yes || glue=""
  done
  current="\${typed[\${#typed[@]}-1]}"
  for word in "\${typed[@]:1:\${#typed[@]}-2}"; do
    if [ -n "$flag" ]; then
      case "$flag" in --nats|--prefix) via+=("$flag" "$word") ;; esac
      flag=""
      continue
    fi
    case "$word" in
      --nats=*|--prefix=*) via+=("$word") ;;
      ${flagsWithValue(entries)}) flag="$word" ;;
      -*) ;;
      *) path="\${path:+$path }$word" ;;
    esac
  done
  kept="\${current%"\${current##*[:=]}"}"
  case "$flag:$current" in :--*=*) flag="\${current%%=*}"; current="\${current#*=}" ;; esac
  # Nothing of ours: bash then offers files.
  case "$flag" in ${pathFlags(entries)}) return ;; esac
  if [ -n "$flag" ]; then
    case "$flag" in
${flagValues(entries)
  .map(([flags, value]) => `      ${flags}) ${valueOf(value)} ;;`)
  .join('\n')}
    esac
    compopt +o default 2>/dev/null
  else
    while :; do
      case "$path" in
${entries.map((entry) => `        '${entry.path.join(' ')}') words='${wordsOf(entry).join(' ')}' ;;`).join('\n')}
      esac
      # What is no command is an argument: what may follow is what may follow the command before it.
      [ -n "$words" ] && break
      at=$((at+1))
      case "$path" in *' '*) path="\${path% *}" ;; *) path="" ;; esac
    done
    case "$current:$path" in -*) ;; ${filesFor(entries)
      .map((path) => `*:${path}`)
      .join('|')}) return ;; esac
    case "$current:$path:$at" in
      -*) ;;
${argumentValues(entries)
  .map(
    ([places, value]) => `      ${places.map(({ path, at }) => `*:'${path}:${at}'`).join('|')}) ${valueOf(value)} ;;`,
  )
  .join('\n')}
    esac
  fi
  case "$values" in
    '@'*) values="$("\${COMP_WORDS[0]}" names --timeout 0.5 "\${via[@]}" -- "\${values#@}" "$current" 2>/dev/null </dev/null)" ;;
    *) values="\${values// /$'\\n'}" ;;
  esac
  while IFS= read -r word; do
    [[ -n "$word" && "$word" == "$current"* ]] || continue
    printf -v word %q "$word"
    COMPREPLY+=("\${word#"\${kept#*=}"}")
  done <<<"$values"
  [ \${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _rota rota
`,
  zsh: (entries) => `#compdef rota
_rota() {
  local line="" word flag="" current="$words[CURRENT]" values="" at=0
  local -a choices via found
  for word in "\${(@)words[2,CURRENT-1]}"; do
    if [[ -n "$flag" ]]; then
      case "$flag" in --nats|--prefix) via+=("$flag" "$word") ;; esac
      flag=""
      continue
    fi
    case "$word" in
      --nats=*|--prefix=*) via+=("$word") ;;
      ${flagsWithValue(entries)}) flag="$word" ;;
      -*) ;;
      *) line="\${line:+$line }$word" ;;
    esac
  done
  if [[ -z "$flag" && "$current" == --*=* ]]; then
    flag="\${current%%=*}"
    current="\${current#*=}"
    compset -P '*='
  fi
  case "$flag" in ${pathFlags(entries)}) _files; return ;; esac
  if [[ -n "$flag" ]]; then
    case "$flag" in
${flagValues(entries)
  .map(([flags, value]) => `      ${flags}) ${valueOf(value)} ;;`)
  .join('\n')}
    esac
  else
    while :; do
      case "$line" in
${entries.map((entry) => `        '${entry.path.join(' ')}') choices=(${describedOf(entry).map(zshItem).join(' ')}) ;;`).join('\n')}
      esac
      (( \${#choices} )) && break
      at=$((at+1))
      [[ "$line" == *' '* ]] && line="\${line% *}" || line=""
    done
    case "$current:$line" in -*) ;; ${filesFor(entries)
      .map((path) => `*:${path}`)
      .join('|')}) _files; return ;; esac
    case "$current:$line:$at" in
      -*) ;;
${argumentValues(entries)
  .map(
    ([places, value]) => `      ${places.map(({ path, at }) => `*:'${path}:${at}'`).join('|')}) ${valueOf(value)} ;;`,
  )
  .join('\n')}
    esac
  fi
  case "$values" in
    '@'*) found=("\${(@f)$("$words[1]" names --timeout 0.5 "\${(@)via}" -- "\${values#@}" "\${(Q)current}" 2>/dev/null </dev/null)}") ;;
    *) found=(\${(s: :)values}) ;;
  esac
  found=(\${found:#})
  if (( \${#found} )); then
    compadd -- "\${(@)found}"
  elif (( \${#choices} )); then
    _describe 'rota' choices
  fi
}
compdef _rota rota
`,
  fish: fishScript,
};

/** Options of any command whose value is a file or a folder. */
function pathFlags(entries: readonly CommandEntry[]): string {
  return flagsOf(entries, ({ value }) => value === 'path').join('|');
}

/** Options by their values, for `case`. */
function flagValues(entries: readonly CommandEntry[]): readonly (readonly [flags: string, value: Values])[] {
  const all = entries.flatMap(({ options }) =>
    options.flatMap(({ flag, value }) => (typeof value === 'string' ? [] : [{ flag, value }])),
  );
  return [...Map.groupBy(all, ({ value }) => valueOf(value)).values()].map((same) => [
    [...new Set(same.map(({ flag }) => flag))].join('|'),
    same[0]!.value,
  ]);
}

interface Place {
  readonly path: string;
  /** Words that are no commands before it. */
  readonly at: number;
}

function argumentValues(entries: readonly CommandEntry[]): readonly (readonly [places: Place[], value: Values])[] {
  const all = entries.flatMap(({ path, values }) =>
    values.flatMap((value, at) => (value === null ? [] : [{ path: path.join(' '), at, value }])),
  );
  return [...Map.groupBy(all, ({ value }) => valueOf(value)).values()].map((same) => [same, same[0]!.value]);
}

/** For bash and zsh: an @ is to be asked for. */
function valueOf(value: Values): string {
  return `values='${'names' in value ? `@${value.names}` : value.words.join(' ')}'`;
}

/** Commands that complete to files. */
const filesFor = (entries: readonly CommandEntry[]): readonly string[] =>
  entries.filter(({ takesFile }) => takesFile).map(({ path }) => `'${path.join(' ')}'`);

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
