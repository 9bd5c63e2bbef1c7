import { effectiveConfig, type Config } from '../config/config.ts';
import type { Backlog } from '../events/backlog.ts';
import type { DeadLetters } from '../events/dead-letters.ts';
import { diagnoseDatabase } from '../queue/schema/diagnosis.ts';
import type { QueueInspection } from '../queue/lists/inspection.ts';
import type { TaskLists } from '../queue/lists/lists.ts';
import { readNames } from '../queue/lists/names.ts';
import { readQueueBy } from '../queue/maintenance/counts.ts';
import { Pauses } from '../queue/maintenance/pauses.ts';
import type { Sql } from '../postgres/pool.ts';
import { purgeOrganisation } from '../queue/settle/cancellation.ts';
import type { TaskRanking } from '../queue/push/rank.ts';
import { rerank } from '../queue/maintenance/rerank.ts';
import type { Schedules } from '../queue/schedules/schedule-crud.ts';
import type { ScheduleStore } from '../queue/schedules/schedule-store.ts';
import type { RunningTaskQueue } from '../queue/task-queue.ts';
import type { Supervision } from '../supervisor/supervision.ts';
import type { Logger } from '../telemetry/log.ts';
import { doctorCommands, type DoctorPorts } from './doctor.ts';
import { explainCommands, type ExplainPorts } from './explain.ts';
import { lookCommands, type LookPorts } from './looks.ts';
import type { OperatorCommand } from './operator-command.ts';
import { queueCommands, type QueuePorts } from './queues.ts';
import { scheduleCommands, type SchedulePorts } from './schedules.ts';
import { PartRates } from '../observation/part-rates.ts';
import { ImageRates, Rates } from '../observation/rates.ts';
import { supervisorCommands, type SupervisorPorts } from './supervisor.ts';
import { taskCommands, type TaskPorts } from './tasks.ts';
import { createWeights, weightCommands, type WeightPorts, type Weights } from './weights.ts';

/** What operators act on. */
export type OperatorPorts = SupervisorPorts &
  TaskPorts &
  SchedulePorts &
  QueuePorts &
  LookPorts &
  WeightPorts &
  ExplainPorts &
  DoctorPorts;

/** Every command on `<prefix>.ctl.<name>`; one file per group. */
export function operatorCommands(ports: OperatorPorts): readonly OperatorCommand[] {
  return [
    ...supervisorCommands(ports),
    ...taskCommands(ports),
    ...scheduleCommands(ports),
    ...queueCommands(ports),
    ...lookCommands(ports),
    ...weightCommands(ports),
    ...explainCommands(ports),
    ...doctorCommands(ports),
  ];
}

/** The parts of a supervisor that operators act on, as main.ts has built them. */
interface OperationsParts {
  readonly instance: string;
  readonly version: string;
  readonly config: Config;
  readonly sql: Sql;
  /** The database's time, in epoch milliseconds. */
  readonly now: () => number;
  readonly queue: RunningTaskQueue;
  readonly lists: TaskLists;
  readonly inspection: QueueInspection;
  readonly schedules: Schedules;
  readonly scheduleStore: ScheduleStore;
  readonly ranking: TaskRanking;
  readonly supervision: Supervision;
  readonly backlog: Backlog | null;
  readonly deadLetters: DeadLetters | null;
  readonly natsVersion: () => string | null;
  readonly schedulerIds: readonly string[];
  readonly typeOf: (scheduler: string) => string;
  /** Ends this supervisor as a signal would; null where its process runs more than it. */
  readonly stop: (() => void) | null;
  readonly log: Logger;
}

export interface Operations {
  readonly commands: readonly OperatorCommand[];
  readonly weights: Weights;
  /** Starts the keeper of pauses; commands work without it. */
  start(): void;
  stop(): Promise<void>;
}

/** The operator's side of a supervisor. */
export function createOperations(parts: OperationsParts): Operations {
  const { sql, queue, schedulerIds, ranking, log, config } = parts;
  const pauses = new Pauses({
    sql,
    ranksFairly: (scheduler) => queue.ranksFairly(scheduler),
    onResumed: (scheduler, count) => queue.wake(scheduler, count),
    onError: (error) => log.error({ err: error }, 'pauses'),
  });
  const rates = new Rates();
  const partRates = new PartRates();
  const imageRates = new ImageRates(sql, (error) => log.error({ err: error }, 'rates'));
  return {
    commands: operatorCommands({
      ...parts,
      startedAt: new Date(parts.now()),
      pauses,
      rates,
      partRates,
      maxSize: config.SCHEDULER_PQ_MAXSIZE,
      unread: config.unread,
      purge: (organisation, by) => purgeOrganisation(sql, schedulerIds, organisation, by),
      queueBy: (scheduler, by) => readQueueBy(sql, scheduler, by),
      names: (kind, request) => readNames(sql, kind, request),
      rerank: async (scheduler, report) => {
        await queue.ranksFairly(scheduler);
        await rerank(sql, ranking, scheduler, report);
      },
      parked: () => queue.parked(),
      effectiveConfig: () => effectiveConfig(config, process.env),
      diagnoseDatabase: () => diagnoseDatabase(sql),
      audit: (command, by, fields) => log.info({ audit: command, by, ...fields }, 'audit'),
    }),
    weights: createWeights(sql, schedulerIds),
    start: () => pauses.start(),
    stop: async () => {
      rates.stop();
      partRates.stop();
      await imageRates.stop();
      await pauses.stop();
      await Promise.all([parts.backlog?.close(), parts.deadLetters?.close()]);
    },
  };
}
