import type { AskedImage } from '../protocol/operator-status.ts';
import type { OperatorAnswers } from '../protocol/operator.ts';
import { aged, command, type SomeCommands } from './operator-command.ts';
import { recent } from './recent.ts';

export interface WorkerPorts {
  readonly readWorkers: () => Promise<OperatorAnswers['workers']>;
  readonly readDemand: () => Promise<OperatorAnswers['demand']>;
}

/** Who works, and what is asked for. */
export function workerCommands(ports: WorkerPorts) {
  const workers = recent(ports.readWorkers);
  const demand = recent(ports.readDemand);
  return {
    workers: command('read', aged, async ({ max_age_seconds: seconds }) => workers(seconds * 1_000)),
    demand: command('read', aged, async ({ max_age_seconds: seconds }) => demand(seconds * 1_000)),
  } satisfies SomeCommands;
}

/** Workers that are busy ask again when they are done; by then they may have been away for so long. */
const silentSeconds = 300;

export interface Mismatch {
  /** Workers wait for these, and nothing of them is queued. */
  readonly askedNotQueued: readonly AskedImage[];
  /** These wait, and no pop asked for them, by their name or for any image, in five minutes: they may wait for ever. */
  readonly queuedNotAsked: readonly AskedImage[];
}

/** @param now epoch milliseconds by the database's clock */
export function mismatchOf({ any_image: any, images }: OperatorAnswers['demand'], now: number): Mismatch {
  const lately = (at: string | null) => at !== null && now - Date.parse(at) <= silentSeconds * 1_000;
  const anyOf = new Map(any.map(({ scheduler, asked_at: at }) => [scheduler, at]));
  const waits = ({ queued, held }: AskedImage) => queued > held;
  return {
    askedNotQueued: images.filter((image) => image.queued === 0 && lately(image.asked_at)),
    queuedNotAsked: images.filter(
      (image) => waits(image) && !lately(image.asked_at) && !lately(anyOf.get(image.scheduler) ?? null),
    ),
  };
}
