import { createLogUpdate } from 'log-update';

/** Where the run stands. On a terminal the lines replace each other; elsewhere each is printed, once a second at most. */
export interface Progress {
  show(line: string): void;
  /** What stays: a step, or something that happened. */
  note(line: string): void;
  end(): void;
}

export function createProgress(out: NodeJS.WriteStream): Progress {
  if (!out.isTTY) {
    let last = 0;
    return {
      show: (line) => {
        if (performance.now() - last < 1_000) return;
        last = performance.now();
        out.write(`${line}\n`);
      },
      note: (line) => void out.write(`${line}\n`),
      end: () => {},
    };
  }
  const update = createLogUpdate(out);
  return {
    show: (line) => update(line),
    note: (line) => {
      update.clear();
      out.write(`${line}\n`);
    },
    end: () => update.clear(),
  };
}
