import { createInterface } from 'node:readline/promises';
import { createLogUpdate } from 'log-update';
import { RotaError } from '../errors.ts';
import { oneLine, printable } from '../printable.ts';

/** All output of the command line passes through this file, so that no command forgets to escape strangers' text. */

/** `out` for a command's answer, `err` for everything else. */
type Stream = 'out' | 'err';

export function write(text: string, to: Stream = 'out'): void {
  streamOf(to).write(printable(text));
}

/** The value as JSON in which control characters are escaped. */
export function writeJson(value: unknown): void {
  write(`${JSON.stringify(value)}\n`);
}

/** A template of our text around strangers' text, which is kept on its line. */
export function line(ours: readonly string[], ...theirs: readonly unknown[]): string {
  return String.raw({ raw: ours }, ...theirs.map((text) => oneLine(String(text))));
}

/** Null if the output is no terminal. */
export function terminalWidth(): number | null {
  return process.stdout.isTTY ? process.stdout.columns : null;
}

/** Text on a terminal that each `show` replaces. */
interface Screen {
  readonly rows: number;
  show(text: string): void;
  /** Ends it: `done` leaves its text, `clear` removes it. */
  done(): void;
  clear(): void;
}

/** Null if `to` is no terminal. */
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

/** Progress of a long run. On a terminal its line is replaced; elsewhere lines are printed, at most one a second. */
export interface Progress {
  show(line: string): void;
  /** Prints a line that stays: a step, or an event of the run. */
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

/** The answer of the person at the terminal; null without a terminal. */
async function ask(question: string): Promise<string | null> {
  if (!process.stdin.isTTY) return null;
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question(printable(question));
  terminal.close();
  return answer;
}

/** Asks before a change in bulk. @throws RotaError INVALID_REQUEST if the answer is no, or there is no terminal. */
export async function confirm(question: string, yes: boolean): Promise<void> {
  if (yes) return;
  const answer = await ask(`${question} [y/N] `);
  if (answer === null) throw new RotaError('INVALID_REQUEST', `${question} Add --yes: there is no terminal to ask on`);
  if (!/^y(es)?$/i.test(answer.trim())) throw new RotaError('INVALID_REQUEST', 'nothing was changed');
}

function streamOf(to: Stream): NodeJS.WriteStream {
  return to === 'out' ? process.stdout : process.stderr;
}
