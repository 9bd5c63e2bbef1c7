/** At most `count` holders at once; who waits is served in order of arrival. */
export interface Slots {
  run<T>(work: () => Promise<T>): Promise<T>;
  inUse(): number;
}

export function createSlots(count: number): Slots {
  const waiting: (() => void)[] = [];
  let inUse = 0;

  const take = async (): Promise<void> => {
    if (inUse < count) {
      inUse += 1;
      return;
    }
    // A slot that is given back goes straight to the first in line, so that nobody can slip in between.
    await new Promise<void>((resolve) => waiting.push(resolve));
  };
  const giveBack = () => {
    const next = waiting.shift();
    if (next === undefined) inUse -= 1;
    else next();
  };

  return {
    run: async (work) => {
      await take();
      try {
        return await work();
      } finally {
        giveBack();
      }
    },
    inUse: () => inUse,
  };
}
