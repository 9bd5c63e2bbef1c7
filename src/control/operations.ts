import type { z } from 'zod';
import { effectiveConfig, type Config } from '../config/config.ts';
import type { Backlog } from '../events/backlog.ts';
import type { DeadLetters } from '../events/dead-letters.ts';
import { diagnoseDatabase } from '../queue/schema/diagnosis.ts';
import type { QueueInspection } from '../queue/lists/inspection.ts';
import type { TaskLists } from '../queue/lists/lists.ts';
import { createOrganisationLists } from '../queue/lists/organisations.ts';
import { readNames } from '../queue/lists/names.ts';
import { readQueueBy, readTaskTotals } from '../queue/maintenance/counts.ts';
import { readDemand, readWorkers } from '../queue/lists/workers.ts';
import { AuditLog, IncidentLog } from '../queue/maintenance/audit.ts';
import { Limits } from '../queue/limits/limits.ts';
import { Pauses } from '../queue/maintenance/pauses.ts';
import type { Sql } from '../postgres/pool.ts';
import { purgeOrganisation } from '../queue/settle/cancellation.ts';
import type { RankerChoice, TaskRanking } from '../queue/push/rank.ts';
import { previewRerank, rerank } from '../queue/maintenance/rerank.ts';
import type { Schedules } from '../queue/schedules/schedule-crud.ts';
import type { ScheduleStore } from '../queue/schedules/schedule-store.ts';
import type { RunningTaskQueue } from '../queue/task-queue.ts';
import type { Supervision } from '../supervisor/supervision.ts';
import { excerpt, oneLine } from '../printable.ts';
import { withoutSecrets } from '../tasks/secrets.ts';
import type { Logger } from '../telemetry/log.ts';
import { watchLoopDelay } from '../telemetry/loop-delay.ts';
import { doctorCommands, type DoctorPorts } from './doctor.ts';
import { explainCommands, type RunNowPorts } from './explain.ts';
import {
  auditCommands,
  type AuditPorts,
  incidentCommands,
  type IncidentPorts,
  lookCommands,
  type LookPorts,
  organisationCommands,
  type OrganisationPorts,
} from './looks.ts';
import { type CommandAudit, commandRunner, type Commands, type RunCommand } from './operator-command.ts';
import { limitCommands, type LimitPorts } from './limits.ts';
import { queueCommands, type QueuePorts } from './queues.ts';
import { scheduleCommands, type SchedulePorts } from './schedules.ts';
import { Incidents } from '../observation/incidents.ts';
import { PartRates } from '../observation/part-rates.ts';
import { ImageRates, Rates } from '../observation/rates.ts';
import { supervisorCommands, type SupervisorPorts } from './supervisor.ts';
import { taskCommands, type TaskPorts } from './tasks.ts';
import { workerCommands, type WorkerPorts } from './workers.ts';
import { createWeights, weightCommands, type WeightPorts, type Weights } from './weights.ts';

/** What operators act on. */
export type OperatorPorts = SupervisorPorts &
  TaskPorts &
  SchedulePorts &
  QueuePorts &
  LookPorts &
  OrganisationPorts &
  WeightPorts &
  LimitPorts &
  RunNowPorts &
  DoctorPorts &
  AuditPorts &
  IncidentPorts &
  WorkerPorts;

/** Every command, by its name on `<prefix>.ctl.<name>` and `POST /ctl/<name>`; one file per group. */
export function operatorCommands(ports: OperatorPorts) {
  return {
    ...supervisorCommands(ports),
    ...taskCommands(ports),
    ...scheduleCommands(ports),
    ...queueCommands(ports),
    ...lookCommands(ports),
    ...organisationCommands(ports),
    ...weightCommands(ports),
    ...limitCommands(ports),
    ...explainCommands(ports),
    ...doctorCommands(ports),
    ...auditCommands(ports),
    ...incidentCommands(ports),
    ...workerCommands(ports),
  } satisfies Commands;
}

type Table = ReturnType<typeof operatorCommands>;

/** What a command takes, as a client writes it. */
export type BodyOf<K extends keyof Table> = z.input<Table[K]['body']>;

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
  readonly ranking: TaskRanking & RankerChoice;
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
  /** The one way to the commands. */
  readonly run: RunCommand;
  readonly audit: CommandAudit;
  readonly weights: Weights;
  /** Starts the keepers of pauses, of the audit and of incidents; commands work without them. */
  start(): void;
  stop(): Promise<void>;
}

/** Tasks before an organisation's next one: under fair share a few of each other organisation. */
const countedBefore = 5_000;

/** The operator's side of a supervisor. */
export function createOperations(parts: OperationsParts): Operations {
  const { sql, queue, schedulerIds, ranking, log, config } = parts;
  const limits = new Limits({
    sql,
    schedulerIds,
    queue,
    onError: (error) => log.error({ err: error }, 'limits'),
  });
  const pauses = new Pauses({
    sql,
    ranksFairly: (scheduler) => queue.ranksFairly(scheduler),
    onResumed: (scheduler, count) => {
      // What a limit holds too is looked at again.
      limits.wake();
      queue.wake(scheduler, count);
    },
    onError: (error) => log.error({ err: error }, 'pauses'),
  });
  const rates = new Rates();
  const auditLog = new AuditLog(sql, (error) => log.error({ err: error }, 'audit log'));
  const audit: CommandAudit = (command, by, given, refused) => {
    const fields = withoutSecrets(given);
    const refusal = refused === undefined ? {} : { refused };
    log.info({ audit: command, by, ...fields, ...refusal }, 'audit');
    const { organisation } = fields;
    auditLog.write({
      at: new Date(parts.now()).toISOString(),
      by: by === null ? null : excerpt(oneLine(by)),
      command,
      organisation: typeof organisation === 'string' ? organisation : null,
      fields,
      refused: refused ?? null,
    });
  };
  const partRates = new PartRates();
  const incidentLog = new IncidentLog({
    sql,
    instance: parts.instance,
    onVanished: (instance, seenAt) => incidents.vanished(instance, seenAt),
    onError: (error) => log.error({ err: error }, 'incidents'),
  });
  const incidents = new Incidents({
    instance: parts.instance,
    now: parts.now,
    keep: (incident) => incidentLog.write(incident),
  });
  const loop = watchLoopDelay();
  const imageRates = new ImageRates(sql, (error) => log.error({ err: error }, 'rates'));
  return {
    run: commandRunner(
      operatorCommands({
        ...parts,
        startedAt: new Date(parts.now()),
        pauses,
        limits,
        rates,
        partRates,
        incidents,
        loopDelay: () => loop.read(),
        maxSize: config.SCHEDULER_PQ_MAXSIZE,
        unread: config.unread,
        purge: (organisation, by) => purgeOrganisation(sql, schedulerIds, organisation, by),
        queueBy: (scheduler, by, limit) => readQueueBy(sql, scheduler, by, limit),
        taskTotals: () => readTaskTotals(sql, schedulerIds),
        organisations: createOrganisationLists(sql, (task) =>
          parts.inspection.start(
            { id: task, queue: { held: false, limit: null, ahead: 0, ahead_is_least: false } },
            countedBefore,
          ),
        ),
        readWorkers: () => readWorkers(sql),
        readDemand: () => readDemand(sql, schedulerIds),
        names: (kind, request) => readNames(sql, kind, request),
        rerank: async (scheduler, report) => {
          await queue.ranksFairly(scheduler);
          await rerank(sql, ranking, scheduler, report);
        },
        rankers: ranking,
        previewRerank: (scheduler, ranker) => previewRerank(sql, ranking, scheduler, ranker),
        parked: () => queue.parked(),
        effectiveConfig: () => effectiveConfig(config, process.env),
        diagnoseDatabase: () => diagnoseDatabase(sql),
        audit,
        readAudit: (of) => auditLog.read(of),
        readIncidents: (of) => incidentLog.read(of),
      }),
      audit,
    ),
    audit,
    weights: createWeights(sql, schedulerIds),
    start: () => {
      pauses.start();
      limits.start();
      auditLog.start();
      incidentLog.start();
    },
    stop: async () => {
      rates.stop();
      partRates.stop();
      incidents.stop();
      loop.stop();
      await imageRates.stop();
      await pauses.stop();
      await limits.stop();
      await Promise.all([auditLog.stop(), incidentLog.stop()]);
      await Promise.all([parts.backlog?.close(), parts.deadLetters?.close()]);
    },
  };
}
