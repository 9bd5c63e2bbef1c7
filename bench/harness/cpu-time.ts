import { readdir, readFile } from 'node:fs/promises';

/** Linux counts a process's time in ticks of 10 ms. */
const msPerTick = 10;

/** Milliseconds of CPU that a process and those of its children that have ended have taken, all threads of it. */
export function cpuMsOf(pid: number): Promise<number> {
  return cpuMsAt(`/proc/${pid}/stat`);
}

/** The same of the thread that a process began with: that of a supervisor answers each request, and its other cores cannot help it. */
export function cpuMsOfMainThread(pid: number): Promise<number> {
  return cpuMsAt(`/proc/${pid}/task/${pid}/stat`);
}

async function cpuMsAt(path: string): Promise<number> {
  const stat = await readFile(path, 'utf8');
  // The second field is the program's name, which may hold spaces and brackets.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * msPerTick;
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
