import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { createProgram } from '../../src/cli/program.ts';
import { type RotaAtHand, startRotaAtHand } from '../support/cli.ts';
import { boefjeTask } from '../support/wire.ts';

// Each name that a shell asks for is a process of its own: a second or two on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

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

type Environment = Readonly<Record<string, string>>;

async function run(shell: string, args: readonly string[], code: string, env: Environment): Promise<readonly string[]> {
  const options = { env: { ...process.env, ...env }, ...(env['HOME'] === undefined ? {} : { cwd: env['HOME'] }) };
  const { stdout } = await promisify(execFile)(shell, [...args, '-c', code], options);
  return stdout.split('\n').filter(Boolean);
}

type Asking = (script: string, typed: readonly string[], env?: Environment) => Promise<readonly string[]>;

const quoted = (word: string) => `'${word.replaceAll("'", String.raw`'\''`)}'`;

/** What each shell offers after the words that were typed; `<files>` where it offers files. */
const asked: Readonly<Record<string, Asking>> = {
  bash: (script, typed, env = {}) => {
    // As readline splits them.
    const split = typed.flatMap((word) =>
      word.split(/([:=]+)/).filter((part, _at, all) => part !== '' || all.length === 1),
    );
    const words = ['rota', ...split].map(quoted).join(' ');
    const offered = `(( \${#COMPREPLY[@]} )) && printf '%s\\n' "\${COMPREPLY[@]}" || { [ -n "$none" ] || echo '<files>'; }`;
    return run(
      'bash',
      [],
      `compopt() { none=yes; }
      ${script}\nCOMP_WORDS=(${words}); COMP_CWORD=$((\${#COMP_WORDS[@]}-1)); _rota; ${offered}`,
      env,
    );
  },
  // Without its completion system, which needs a terminal: what the script hands to it.
  zsh: async (script, typed, env = {}) => {
    const words = ['rota', ...typed].map(quoted).join(' ');
    const system = `compdef() { :; }; _files() { print '<files>'; }; compset() { :; }
      compadd() { shift; print -rl -- "$@"; }
      _describe() { print -l -- "\${(@)\${(@P)2}%%:*}"; }`;
    const offered = await run('zsh', ['-f'], `${system}\n${script}\nwords=(${words}); CURRENT=$#words; _rota`, env);
    const current = (typed.at(-1) ?? '').replace(/^--\w+=/, '');
    return offered.filter((word) => word === '<files>' || word.startsWith(current));
  },
  fish: async (script, typed, env = {}) => {
    const line = ['rota', ...typed].join(' ');
    const offered = await run('fish', ['--no-config'], `${script}\ncomplete --do-complete=${quoted(line)}`, env);
    const words = offered.map((word) => word.split('\t')[0]!.replace(/^--\w+=/, ''));
    return words.length > 0 && words.every((word) => existsSync(word.replace(/\/$/, ''))) ? ['<files>'] : words;
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
    [
      ['tasks', 'list', '--status', 'c'],
      ['completed', 'cancelled'],
    ],
    [['tasks', 'list', '--status=f'], ['failed']],
    [
      ['queue', 'boefje', '--by', ''],
      ['organisation', 'boefje', 'image'],
    ],
    [['dead', 'requeue', '--stream', 'raw'], ['raw_file_received']],
    [['actors', 'log-level', 'boefje', 'd'], ['debug']],
    // A number is nothing to choose.
    [['tasks', 'list', '--limit', ''], []],
  ])('completes rota %j', async (typed, offered) => {
    expect((await asked[shell]!(script, typed)).toSorted()).toEqual(offered.toSorted());
  });

  test('offers the commands of a group', async () => {
    const offered = (await asked[shell]!(script, ['schedules', ''])).filter((word) => !word.startsWith('-'));
    expect(offered.toSorted()).toEqual(['disable', 'enable', 'list', 'run-now', 'set-cron', 'show']);
  });
});

test.each(['bash', 'zsh', 'fish'])('the script of %s has every command and option', async (shell) => {
  const text = await scriptFor(shell);
  for (const word of ['tasks', 'cancel', 'pause', 'older-than', 'organisation', 'raw-file'])
    expect(text).toContain(word);
});

const hostile = '$(touch${IFS}evaluated)`touch${IFS}evaluated`;';

describe('names', () => {
  let hand: RotaAtHand;
  let folder: string;
  let env: Environment;

  beforeAll(async () => {
    hand = await startRotaAtHand();
    folder = await mkdtemp(join(tmpdir(), 'rota-completion-'));
    const entry = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));
    await writeFile(join(folder, 'rota'), `#!/bin/sh\nexec ${process.execPath} ${entry} "$@"\n`, { mode: 0o755 });
    env = {
      HOME: folder,
      PATH: `${folder}${delimiter}${process.env['PATH']}`,
      NATS_URL: inject('natsUrl'),
      SCHEDULER_NATS_PREFIX: hand.prefix,
    };
    await hand.client.push('boefje', [
      boefjeTask('acme', 'Hostname|internet|a', 'dns-records'),
      boefjeTask('acme-two', 'Hostname|internet|a', 'dns-sec'),
      boefjeTask('other', 'Hostname|internet|a', 'nmap'),
      boefjeTask(`acme${hostile}`, 'Hostname|internet|a', 'nmap'),
      boefjeTask('acme\u202e', 'Hostname|internet|a', 'nmap'),
    ]);
    await vi.waitFor(async () => expect((await hand.run(['names', 'organisation', 'o'])).stdout).toBe('other\n'), {
      timeout: 30_000,
    });
  });

  afterAll(async () => {
    await hand.stop();
    await rm(folder, { recursive: true });
  });

  test.for<[readonly string[], readonly string[]]>([
    [['scheduler'], ['boefje', 'normalizer', 'report']],
    [['scheduler', 'n'], ['normalizer']],
    [['actor', 'r'], ['report']],
    [
      ['boefje', 'dns'],
      ['dns-records', 'dns-sec'],
    ],
    [['boefje', '--scheduler', 'report'], []],
    [['boefje', 'dns', '--limit', '1'], ['dns-records']],
    [['organisation', 'acme-'], ['acme-two']],
    [['image'], []],
  ])('rota names %j', async ([args, results]) => {
    expect(await hand.json(['names', ...args])).toEqual({ results });
  });

  test('of a scheduler that there is not', async () => {
    const { code, stderr } = await hand.run(['names', 'boefje', '--scheduler', 'absent']);
    expect([code, stderr]).toEqual([66, 'rota: no scheduler absent; there are: boefje, normalizer, report\n']);
  });

  test('those of a supervisor', async () => {
    const { results } = await hand.json<{ results: string[] }>(['names', 'instance']);
    expect(results).toEqual(await hand.client.instances());
  });

  test.each(shells)(
    '%s offers what there is, evaluates none of it, and offers nothing that cannot be typed',
    async (shell) => {
      const script = await scriptFor(shell);
      const offers = async (...typed: string[]) =>
        // Half a second is little on a busy machine.
        vi.waitFor(
          async () => {
            const offered = await asked[shell]!(script, typed, env);
            expect(offered.some((word) => !word.startsWith('-') && word !== '<files>')).toBe(true);
            return offered.map((word) => word.replaceAll('\\', '')).toSorted();
          },
          { timeout: 30_000 },
        );
      expect(await offers('pause', 'no')).toEqual(['normalizer']);
      expect(await offers('pause', 'boefje', '--boefje', 'dns')).toEqual(['dns-records', 'dns-sec']);
      expect(await offers('weights', 'set', 'boefje', 'oth')).toEqual(['other']);
      expect(await offers('tasks', 'list', '--limit', '3', '--organisation', 'acme')).toEqual(
        ['acme', `acme${hostile}`, 'acme-two'].toSorted(),
      );
      expect(await offers('tasks', 'list', '--organisation=oth')).toEqual(['other']);
      expect(await offers('actors', 'restart', 'r')).toEqual(['report']);
      // What was typed says which installation.
      const elsewhere = { ...env, SCHEDULER_NATS_PREFIX: 'absent' };
      await vi.waitFor(
        async () =>
          expect(
            await asked[shell]!(
              script,
              ['pause', '--nats', inject('natsUrl'), '--prefix', hand.prefix, 'no'],
              elsewhere,
            ),
          ).toEqual(['normalizer']),
        { timeout: 30_000 },
      );
      expect(await asked[shell]!(script, ['tasks', 'list', '--organisation', 'ac'], elsewhere)).toEqual([]);
      expect(await readdir(folder)).not.toContain('evaluated');
    },
  );

  test('of a NATS that drops packets, completion gives up within its time', async () => {
    const began = performance.now();
    const { code, stdout } = await hand.run([
      'names',
      'scheduler',
      '--nats',
      'nats://192.0.2.1:4222',
      '--timeout',
      '0.5',
    ]);
    expect([code, stdout]).toEqual([75, '']);
    expect(performance.now() - began).toBeLessThan(10_000);
  });
});
