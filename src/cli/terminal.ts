import { createInterface } from 'node:readline/promises';
import { createLogUpdate } from 'log-update';
import { RotaError } from '../errors.ts';
import { oneLine, printable } from '../printable.ts';

/** Everything that the command line writes goes through here, so that no command can forget what strangers' text may hold. */

/** Of a command's answer; `err` for what is said beside it. */
type Stream = 'out' | 'err';

export function write(text: string, to: Stream = 'out'): void {
  streamOf(to).write(printable(text));
}

/** JSON in which nothing moves a terminal, of the same value. */
export function writeJson(value: unknown): void {
  write(`${JSON.stringify(value)}\n`);
}

/** Text of ours around text of strangers, which stays on its line. */
export function line(ours: readonly string[], ...theirs: readonly unknown[]): string {
  return String.raw({ raw: ours }, ...theirs.map((text) => oneLine(String(text))));
}

/** Null where the output is no terminal. */
export function terminalWidth(): number | null {
  return process.stdout.isTTY ? process.stdout.columns : null;
}

/** What replaces itself on a terminal; null where `to` is none. */
interface Screen {
  readonly rows: number;
  show(text: string): void;
  /** Ends it, with what stands there left or taken away. */
  done(): void;
  clear(): void;
}

export function screenOn(to: Stream): Screen | null {
  const stream = streamOf(to);
  if (!stream.isTTY) return null;
  const update = createLogUpdate(stream);
  return {
    get rows() {
      return stream.rows;
    },
    show: (text) => update(printable(text)),
    done: () => update.done(),
    clear: () => update.clear(),
  };
}

/** Where the run stands. On a terminal the lines replace each other; elsewhere each is printed, once a second at most. */
export interface Progress {
  show(line: string): void;
  /** What stays: a step, or something that happened. */
  note(line: string): void;
  end(): void;
}

export function createProgress(to: Stream): Progress {
  const screen = screenOn(to);
  if (screen === null) {
    let last = 0;
    return {
      show: (line) => {
        if (performance.now() - last < 1_000) return;
        last = performance.now();
        write(`${line}\n`, to);
      },
      note: (line) => write(`${line}\n`, to),
      end: () => {},
    };
  }
  return {
    show: (line) => screen.show(line),
    note: (line) => {
      screen.clear();
      write(`${line}\n`, to);
    },
    end: () => screen.clear(),
  };
}

/** What the person at the terminal answers; null where there is no terminal. */
export async function ask(question: string): Promise<string | null> {
  if (!process.stdin.isTTY) return null;
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question(printable(question));
  terminal.close();
  return answer;
}

/** Asks before something in bulk. @throws RotaError INVALID_REQUEST where the answer is no, or nobody is there to give one. */
export async function confirm(question: string, yes: boolean): Promise<void> {
  if (yes) return;
  const answer = await ask(`${question} [y/N] `);
  if (answer === null) throw new RotaError('INVALID_REQUEST', `${question} Say --yes, since nobody can be asked`);
  if (!/^y(es)?$/i.test(answer.trim())) throw new RotaError('INVALID_REQUEST', 'nothing was changed');
}

function streamOf(to: Stream): NodeJS.WriteStream {
  return to === 'out' ? process.stdout : process.stderr;
}
