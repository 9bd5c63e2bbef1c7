import type { FailureStreak } from '../../protocol/requests.ts';
import type { TaskStatus } from '../../tasks/task.ts';

/** Tasks of a hash that are read. Five doublings need six failures; the others leave room for tasks that were cancelled or are under way. */
export const mostOfHash = 10;

/** What failure-streaks.sql reads of a task. */
export interface PastTask {
  readonly hash: string;
  readonly status: TaskStatus;
  readonly version: string | null;
  readonly image: string | null;
  readonly modified_ms: number;
}

/**
 * The failures in a row of a pair whose last finished task failed. A version or image that a task does not say may be any.
 *
 * @param tasks of one hash, newest first, `mostOfHash` at most
 */
export function streakOf(tasks: readonly PastTask[]): FailureStreak | null {
  const failed: PastTask[] = [];
  let version: string | null = null;
  let image: string | null = null;
  const isOther = (known: string | null, given: string | null) => known !== null && given !== null && known !== given;
  const end = tasks.findIndex((task) => {
    if (task.status !== 'failed') return task.status === 'completed';
    if (isOther(version, task.version) || isOther(image, task.image)) return true;
    version ??= task.version;
    image ??= task.image;
    failed.push(task);
    return false;
  });
  const [last] = failed;
  if (last === undefined) return null;
  return {
    hash: last.hash,
    failures: failed.length,
    bounded: end < 0 && tasks.length === mostOfHash,
    firstAt: failed.at(-1)!.modified_ms,
    lastAt: last.modified_ms,
    version,
    image,
  };
}
