import { readdir, readFile } from 'node:fs/promises';

/** Linux counts a process's time in ticks of 10 ms. */
const msPerTick = 10;

/** Milliseconds of CPU that all threads of a process have taken. */
export function cpuMsOf(pid: number): Promise<number> {
  return cpuMsAt(`/proc/${pid}/stat`);
}

/** The same of the thread that a process began with: that of a supervisor answers each request, and its other cores cannot help it. */
export function cpuMsOfMainThread(pid: number): Promise<number> {
  return cpuMsAt(`/proc/${pid}/task/${pid}/stat`);
}

async function cpuMsAt(path: string): Promise<number> {
  return (await statAt(path)).ownMs;
}

interface Stat {
  readonly parent: number;
  readonly ownMs: number;
  /** Of its children that have ended. */
  readonly endedMs: number;
}

async function statAt(path: string): Promise<Stat> {
  const stat = await readFile(path, 'utf8');
  // The second field is the program's name, which may hold spaces and brackets.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ms = (first: number) => (Number(fields[first]) + Number(fields[first + 1])) * msPerTick;
  return { parent: Number(fields[1]), ownMs: ms(11), endedMs: ms(13) };
}

/**
 * Of a process with its children, those that have ended included: of a Postgres its vacuums, its checkpoints, and backends whose
 * connections were replaced, which the driver does after half an hour to an hour.
 */
export async function cpuMsOfFamily(pid: number): Promise<number> {
  const { ownMs, endedMs } = await statAt(`/proc/${pid}/stat`);
  let total = ownMs + endedMs;
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    // It may end between the listing and the reading: the next call counts it among the ended.
    const child = await statAt(`/proc/${entry}/stat`).catch(() => null);
    if (child?.parent === pid) total += child.ownMs;
  }
  return total;
}

/** The same of all backends that Postgres names in its process title as connected to that database. */
export async function cpuMsOfBackends(database: string): Promise<number> {
  let total = 0;
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    // A process may end between the listing and the reading.
    const title = await readFile(`/proc/${entry}/cmdline`, 'utf8').catch(() => '');
    if (title.startsWith('postgres: ') && title.includes(` ${database} `))
      total += await cpuMsOf(Number(entry)).catch(() => 0);
  }
  return total;
}
