import { setTimeout as delay } from 'node:timers/promises';
import type { Supervisor } from '../drill/supervisor.ts';
import { secret } from './hostile.ts';
import { query, type Stage } from './stage.ts';

/** Beside the message of an error, what the log of a supervisor must never have. */
export function faultsInLog(supervisor: Supervisor): readonly string[] {
  const faults = new Map<string, number>();
  const add = (fault: string) => faults.set(fault, (faults.get(fault) ?? 0) + 1);
  for (const line of supervisor.readLog()) {
    const text = JSON.stringify(line);
    if (line.level === 'raw') {
      // A crash is a dozen lines, of which one says what it was.
      if (/^\w*Error\b/.test(line.event)) add(`the log has a crash of Node: ${line.event.slice(0, 100)}`);
    }
    if (line.event === 'request failed') add(`a request failed unexpectedly: ${String(line.exception).slice(0, 120)}`);
    if (text.includes(secret)) add(`the log has a secret: ${line.event}`);
    if (text.length > longestLine) add(`a log line of more than ${longestLine} characters: ${line.event.slice(0, 60)}`);
  }
  return [...faults].map(([fault, times]) => (times === 1 ? fault : `${fault} (${times} times)`));
}

/** 8 kB are cut by Rota; JSON's escapes are not counted there. */
const longestLine = 20_000;

export async function secretsStored({ databaseUrl }: Stage): Promise<readonly string[]> {
  const faults: string[] = [];
  for (const table of ['tasks', 'schedules']) {
    const [found] = await query<{ count: number }>(
      databaseUrl,
      `SELECT count(*)::int AS count FROM ${table} WHERE data::text LIKE $1`,
      [`%${secret}%`],
    );
    if (found!.count > 0) faults.push(`${found!.count} rows of ${table} have a secret of an environment`);
  }
  return faults;
}

/** Resident memory, as low as it gets within `withinMs`: what V8 has not given back yet is not lost. */
export async function restingMemory(supervisor: Supervisor, below: number, withinMs = 60_000): Promise<number> {
  const deadline = performance.now() + withinMs;
  let least = Number.POSITIVE_INFINITY;
  while (performance.now() < deadline) {
    least = Math.min(least, supervisor.memory());
    if (least <= below) break;
    await delay(500);
  }
  return least;
}
