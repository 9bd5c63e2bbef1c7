import { emitKeypressEvents } from 'node:readline';
import { createInterface } from 'node:readline/promises';
import { styleText } from 'node:util';
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

/** Null if the output is no terminal. One that does not say is taken for 80 columns. */
export function terminalWidth(): number | null {
  return process.stdout.isTTY ? process.stdout.columns || 80 : null;
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

export type Style = keyof typeof formats;

/** Colours of the terminal's own theme: they are legible on its background. */
const formats = {
  plain: [],
  title: ['bold'],
  strong: ['bold'],
  dim: ['dim'],
  good: ['green'],
  warning: ['yellow'],
  problem: ['bold', 'red'],
  selected: ['inverse'],
} as const;

export interface StyledLine {
  readonly text: string;
  readonly style?: Style;
}

/** The whole terminal, with what was on it kept for its end. */
export interface FullScreen {
  readonly size: { readonly rows: number; readonly columns: number };
  show(lines: readonly StyledLine[]): void;
  /** Gives the terminal to the shell and, at `resume`, takes it back. */
  pause(): void;
  resume(): void;
  close(): void;
}

/** The alternate screen, no cursor, and long lines cut instead of wrapped; and their reverse. */
const enterScreen = '\u001b[?1049h\u001b[?25l\u001b[?7l\u001b[2J';
const leaveScreen = '\u001b[?7h\u001b[?25h\u001b[?1049l';

/**
 * Null where the output is no terminal, or one that cannot move its cursor. The terminal is as before after `close`, and at every end of
 * the process that can be seen. `colour` false, NO_COLOR and a terminal without colours leave them out.
 */
export function fullScreenOn({ colour, onResize }: { colour: boolean; onResize: () => void }): FullScreen | null {
  const { stdout } = process;
  if (!stdout.isTTY || process.env['TERM'] === 'dumb') return null;
  let open = false;
  const resume = () => {
    if (open) return;
    open = true;
    stdout.write(enterScreen);
  };
  const pause = () => {
    if (!open) return;
    open = false;
    stdout.write(leaveScreen);
  };
  resume();
  stdout.on('resize', onResize);
  process.once('exit', pause);
  // Before the stack is printed, which would be lost with the screen.
  process.once('uncaughtExceptionMonitor', pause);
  const styled = ({ text, style = 'plain' }: StyledLine) => {
    const shown = oneLine(text);
    return colour && style !== 'plain' ? styleText([...formats[style]], shown, { stream: stdout }) : shown;
  };
  return {
    get size() {
      return { rows: stdout.rows || 24, columns: stdout.columns || 80 };
    },
    show(lines) {
      if (open) stdout.write(`\u001b[H${lines.map((it) => `${styled(it)}\u001b[K`).join('\r\n')}\u001b[J`);
    },
    pause,
    resume,
    close() {
      pause();
      stdout.off('resize', onResize);
      process.off('exit', pause).off('uncaughtExceptionMonitor', pause);
    },
  };
}

export interface KeyPress {
  readonly name?: string | undefined;
  readonly sequence: string;
  readonly ctrl?: boolean;
  readonly shift?: boolean;
}

/** Keys as they are pressed. @returns a function that ends it; null where the input is no terminal, of which none is read. */
export function onKeys(pressed: (key: KeyPress) => void): (() => void) | null {
  const { stdin } = process;
  if (!stdin.isTTY) return null;
  const listener = (_text: string | undefined, key: KeyPress) => pressed(key);
  const cooked = () => void stdin.setRawMode(false);
  emitKeypressEvents(stdin);
  stdin.setRawMode(true);
  stdin.on('keypress', listener).resume();
  process.once('exit', cooked);
  process.once('uncaughtExceptionMonitor', cooked);
  return () => {
    cooked();
    stdin.off('keypress', listener).pause();
    process.off('exit', cooked).off('uncaughtExceptionMonitor', cooked);
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
