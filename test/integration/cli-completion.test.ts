import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { createProgram } from '../../src/cli/program.ts';

const notCalled = async () => {
  throw new Error('only looked at');
};

async function scriptFor(shell: string): Promise<string> {
  let script = '';
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    script += String(text);
    return true;
  });
  const program = createProgram({
    version: '0',
    startRota: notCalled,
    startPage: notCalled,
    connectRota: notCalled,
    createJetstreamPublisher: () => ({ publish: notCalled }),
    jetstreamPermissions: () => ({ supervisor: [], publisher: [] }),
  });
  await program.parseAsync(['node', 'rota', 'completion', shell]).finally(() => write.mockRestore());
  return script;
}

const run = (shell: string, args: readonly string[], code: string) =>
  execFileSync(shell, [...args, '-c', code], { encoding: 'utf8' })
    .split('\n')
    .filter(Boolean);

/** What each shell offers after the words that were typed; `<files>` where it offers files. */
const asked: Readonly<Record<string, (script: string, typed: readonly string[]) => readonly string[]>> = {
  bash: (script, typed) => {
    const words = ['rota', ...typed].map((word) => `'${word}'`).join(' ');
    const offered = `(( \${#COMPREPLY[@]} )) && printf '%s\\n' "\${COMPREPLY[@]}" || echo '<files>'`;
    return run('bash', [], `${script}\nCOMP_WORDS=(${words}); COMP_CWORD=$((\${#COMP_WORDS[@]}-1)); _rota; ${offered}`);
  },
  // Without its completion system, which needs a terminal: what the script hands to it.
  zsh: (script, typed) => {
    const words = ['rota', ...typed].map((word) => `'${word}'`).join(' ');
    const system = `compdef() { :; }; _files() { print '<files>'; }
      _describe() { print -l -- "\${(@)\${(@P)2}%%:*}"; }`;
    const offered = run('zsh', ['-f'], `${system}\n${script}\nwords=(${words}); CURRENT=$#words; _rota`);
    return offered.filter((word) => word === '<files>' || word.startsWith(typed.at(-1) ?? ''));
  },
  fish: (script, typed) => {
    const line = ['rota', ...typed].join(' ');
    const offered = run('fish', ['--no-config'], `${script}\ncomplete --do-complete='${line}'`);
    const words = offered.map((word) => word.split('\t')[0]!);
    return words.every((word) => existsSync(word.replace(/\/$/, ''))) ? ['<files>'] : words;
  },
};

/** bash everywhere; the others where they are installed. */
const shells = Object.keys(asked).filter((shell) =>
  (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, shell))),
);

describe.each(shells)('%s', (shell) => {
  let script = '';
  beforeAll(async () => {
    script = await scriptFor(shell);
  });

  test.each<[string[], string[]]>([
    [['ta'], ['tasks']],
    [['pau'], ['pause', 'pauses']],
    [['tasks', 'list', '--st'], ['--status']],
    [['dead', 're'], ['requeue']],
    // An argument is none of the commands: the options of the command before it are offered.
    [['pause', 'boefje', '--org'], ['--organisation']],
    [['tasks', 'cancel', '--organisation', 'aa', '--y'], ['--yes']],
    [['migrate', '--d'], ['--dry-run']],
    [['push', '--sch'], ['--scheduler']],
    [['push', ''], ['<files>']],
    [['explain', '--raw-file', ''], ['<files>']],
  ])('completes rota %j', (typed, offered) => {
    expect(asked[shell]!(script, typed)).toEqual(offered);
  });

  test('offers the commands of a group', () => {
    const offered = asked[shell]!(script, ['schedules', '']).filter((word) => !word.startsWith('-'));
    expect(offered.toSorted()).toEqual(['disable', 'enable', 'list', 'run-now', 'set-cron', 'show']);
  });
});

test.each(['bash', 'zsh', 'fish'])('the script of %s has every command and option', async (shell) => {
  const text = await scriptFor(shell);
  for (const word of ['tasks', 'cancel', 'pause', 'older-than', 'organisation', 'raw-file'])
    expect(text).toContain(word);
});
