import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { vi } from 'vitest';

const entry = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));

/** `script` of util-linux makes the terminal. */
export const hasTerminals = (() => {
  try {
    return execFileSync('script', ['--version'], { encoding: 'utf8' }).includes('util-linux');
  } catch {
    return false;
  }
})();

/** A command of the command line on a terminal of its own. */
export interface AtTerminal {
  /** All that was written to it. */
  output(): string;
  /** The frame that was drawn last, without colours. */
  screen(): string;
  /** As above, as it was written. */
  drawn(): string;
  press(keys: string): void;
  /** Resolves once the screen `matches`. */
  shows(matches: RegExp): Promise<string>;
  resize(rows: number, columns: number): void;
  /** To the command itself. */
  kill(signal: NodeJS.Signals): void;
  /** What the terminal was set to before and after it, and its exit code. */
  readonly ended: Promise<{ readonly before: string; readonly after: string; readonly code: number }>;
  close(): void;
}

interface TerminalOptions {
  readonly env: Readonly<Record<string, string>>;
  /** A file to read instead of the terminal. */
  readonly input?: string;
  readonly rows?: number;
  readonly columns?: number;
}

/** Ends of frames. */
const [home, rest] = ['\u001b[H', '\u001b[J'];

export function atTerminal(
  args: readonly string[],
  { env, input, rows = 24, columns = 80 }: TerminalOptions,
): AtTerminal {
  const command = [process.execPath, entry, ...args].map((word) => `'${word}'`).join(' ');
  // The inner shell is replaced by the command: its process id is known.
  const shell = `stty rows ${rows} cols ${columns}; echo "tty=$(tty)="; echo "before=$(stty -g)=";
    sh -c 'echo "pid=$$="; exec ${command.replaceAll("'", '"')}${input === undefined ? '' : ` <${input}`}'; echo "code=$?="; echo "after=$(stty -g)="`;
  // Node takes a terminal for one without colours where CI is set.
  const { NO_COLOR: _no, FORCE_COLOR: _yes, CI: _ci, ...inherited } = process.env;
  const child: ChildProcess = spawn('script', ['--quiet', '--flush', '--command', shell, '/dev/null'], {
    env: { ...inherited, TERM: 'xterm-256color', SHELL: '/bin/sh', ...env },
  });
  let output = '';
  child.stdout!.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stdin!.on('error', () => {});
  const said = (name: string) => new RegExp(`${name}=([^=]*)=`).exec(output)?.[1] ?? '';
  const drawn = () => {
    const end = output.lastIndexOf(rest);
    return end === -1 ? '' : output.slice(output.lastIndexOf(home, end) + home.length, end);
  };
  const screen = () => stripVTControlCharacters(drawn()).replaceAll('\r', '');
  return {
    output: () => output,
    screen,
    drawn,
    press: (keys) => void child.stdin!.write(keys),
    shows: (matches) =>
      vi.waitFor(
        () => {
          if (!matches.test(screen())) throw new Error(`no ${matches} in\n${screen()}\n${output.slice(-500)}`);
          return screen();
        },
        { timeout: 30_000, interval: 50 },
      ),
    resize: (to, wide) => void execFileSync('stty', ['-F', said('tty'), 'rows', `${to}`, 'cols', `${wide}`]),
    kill: (signal) => void process.kill(Number(said('pid')), signal),
    ended: new Promise((resolve) =>
      child.once('close', () => resolve({ before: said('before'), after: said('after'), code: Number(said('code')) })),
    ),
    close: () => void child.kill('SIGKILL'),
  };
}
