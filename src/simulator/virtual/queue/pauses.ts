import type { PauseKey } from '../../../queue/maintenance/pauses.ts';
import type { Row } from './rows.ts';

export function isSame(one: PauseKey, other: PauseKey): boolean {
  return one.scheduler === other.scheduler && one.organisation === other.organisation && one.plugin === other.plugin;
}

/** Whether a pause holds tasks of that kind. */
export function holds(pause: PauseKey, of: Pick<Row, 'scheduler' | 'organisation' | 'plugin'>): boolean {
  return (
    pause.scheduler === of.scheduler &&
    (pause.organisation === null || pause.organisation === of.organisation) &&
    (pause.plugin === null || pause.plugin === of.plugin)
  );
}
