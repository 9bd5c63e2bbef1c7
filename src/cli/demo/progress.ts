import { screenOn, type Stream, write } from '../terminal.ts';

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
