import { attempt } from '../../src/mailbox/failure.ts';
import type { Delivery } from '../../src/mailbox/message.ts';
import type { Reschedule } from '../../src/protocol/commands.ts';
import type { DueSchedule, NewTask, ScheduleSettlement } from '../../src/protocol/requests.ts';
import type { Setup } from '../../src/protocol/scheduler.ts';
import { cronFault, isCron, nextRun, clockOfDue } from '../../src/tasks/cron.ts';
import { reportData, type ReportData, reportHash } from '../../src/tasks/data.ts';
import { type Recorder, type RefusalReason, unfinishedReason } from '../../src/tasks/refusal.ts';

const claimSize = 1000;

/**
 * When a report without a cron is looked at again: asked for while its last run goes on, or of an organisation that is gone
 * and may come back. Anything else is over.
 */
const retryMs: Partial<Record<RefusalReason, number>> = { 'still-running': 60_000, 'organisation-gone': 3_600_000 };

/**
 * Queues the reports that are due until none is. Every schedule moves on to the next time of its cron; without a cron
 * there is no next time. One whose cron cannot be read is disabled. A full queue leaves the rest to the next tick.
 */
export async function reschedule(setup: Setup, batch: readonly Delivery<Reschedule>[]): Promise<void> {
  const examined = new Set<string>();
  let [queued, full] = [0, false];
  while (!full && !setup.stopping.aborted) {
    const claimed = await setup.supervisor('claim-due-schedules', { limit: claimSize });
    const due = claimed.filter((schedule) => !examined.has(schedule.id));
    if (due.length === 0) break;
    for (const schedule of due) examined.add(schedule.id);
    const round = await examine(clockOfDue(setup, due), due);
    queued += round.queued;
    full = round.full;
    if (round.settlements.length > 0) await setup.supervisor('settle-schedules', { settlements: round.settlements });
  }
  for (const delivery of batch) delivery.done({ examined: examined.size, queued });
}

interface Round {
  readonly settlements: readonly ScheduleSettlement[];
  readonly queued: number;
  readonly full: boolean;
}

interface DueReport {
  readonly schedule: DueSchedule;
  readonly data: ReportData;
  readonly hash: string;
  readonly deadlineAt: string | null;
}

async function examine(setup: Setup, due: readonly DueSchedule[]): Promise<Round> {
  const settlements: ScheduleSettlement[] = [];
  const reports: DueReport[] = [];
  for (const schedule of due) {
    const data = reportData.safeParse(schedule.data).data;
    if (data === undefined) {
      setup.log.error({ schedule: schedule.id }, 'schedule names no report, it is taken off the clock');
      settlements.push({ id: schedule.id, version: schedule.version, deadlineAt: null });
    } else if (decideCron(schedule, null) !== null) {
      setup.refuse('cron-unreadable', aboutOf(schedule));
      const about = { ...aboutOf(schedule), cron: schedule.schedule, why: cronFault(schedule.schedule!) };
      setup.log.warn(about, 'cron of a report cannot run, its schedule is disabled');
      settlements.push({ id: schedule.id, version: schedule.version, disabled: 'cron-unreadable' });
    } else {
      const hash = reportHash({ recipeId: data.report_recipe_id, organisation: data.organisation_id });
      reports.push({ schedule, data, hash, deadlineAt: deadlineOf(setup, schedule) });
    }
  }

  const gone = await goneAmong(
    setup,
    reports.map(({ schedule }) => schedule.organisation),
  );
  const asked = reports.filter(({ schedule }) => !gone.has(schedule.organisation));
  for (const report of reports.filter(({ schedule }) => gone.has(schedule.organisation))) {
    setup.refuse('organisation-gone', aboutOf(report.schedule));
    settlements.push(moveOn(setup, report, 'organisation-gone'));
  }

  const hashes = asked.map((report) => report.hash);
  const tasks = hashes.length === 0 ? [] : await setup.supervisor('latest-tasks', { hashes });
  const latest = new Map(tasks.map((task) => [task.hash, task]));
  const ready: DueReport[] = [];
  for (const report of asked) {
    const reason = unfinishedReason(latest.get(report.hash)?.status);
    if (reason === null) ready.push(report);
    else {
      setup.refuse(reason, aboutOf(report.schedule));
      settlements.push(moveOn(setup, report, reason));
    }
  }

  const outcomes = ready.length === 0 ? [] : await setup.supervisor('push-tasks', { tasks: ready.map(taskOf) });
  let [queued, full] = [0, false];
  for (const [at, report] of ready.entries()) {
    const outcome = outcomes[at]!;
    if (outcome.outcome === 'queued') {
      queued += 1;
      settlements.push(settlementOf(report));
    } else if (outcome.outcome === 'failed') {
      setup.log.error({ schedule: report.schedule.id, ...outcome.failure }, 'due report cannot be pushed, it moves on');
      settlements.push(settlementOf(report));
    } else if (outcome.reason === 'already-queued') settlements.push(moveOn(setup, report, outcome.reason));
    // Neither a full queue nor a broken ranker says anything about the report: it comes back when its claim ends.
    else full ||= outcome.reason === 'queue-full';
  }
  return { settlements, queued, full };
}

/** What is queued will run. What runs began before it was asked for again: without a next time it waits its turn. */
function moveOn(setup: Setup, { schedule, deadlineAt }: DueReport, reason: RefusalReason): ScheduleSettlement {
  const waits = retryMs[reason];
  const retry = waits === undefined ? null : new Date(setup.now() + waits).toISOString();
  return settlementOf({ schedule, deadlineAt: deadlineAt ?? retry });
}

function settlementOf({ schedule, deadlineAt }: Pick<DueReport, 'schedule' | 'deadlineAt'>): ScheduleSettlement {
  return { id: schedule.id, version: schedule.version, deadlineAt };
}

/** Why a schedule does not run its report: by a cron that cannot be read. */
export function decideCron({ schedule: cron }: DueSchedule, record: Recorder | null): RefusalReason | null {
  if (cron === null || cron.trim() === '' || isCron(cron)) return null;
  record?.('recurrence', 'cron-unreadable', `its cron, ${cron}, cannot run: ${cronFault(cron)}`);
  return 'cron-unreadable';
}

/** Null where it has no cron, or one that cannot be read. */
export function deadlineOf(setup: Setup, { schedule: cron }: DueSchedule): string | null {
  const now = new Date(setup.now());
  return cron === null || !isCron(cron, now) ? null : nextRun(cron, now).toISOString();
}

function taskOf({ schedule, data, deadlineAt }: DueReport): NewTask {
  const recurrence = { schedule: schedule.schedule, deadlineAt, version: schedule.version };
  return { organisation: schedule.organisation, data, checked: true, recurrence, trace: null };
}

function aboutOf({ organisation, id }: DueSchedule): Record<string, string> {
  return { organisation, schedule: id };
}

/**
 * Those of the organisations that Katalogus does not know. A report needs nothing of Katalogus, so an outage of it holds up
 * none: an organisation that it cannot be asked about is taken to be there.
 */
async function goneAmong({ kat }: Setup, organisations: readonly string[]): Promise<ReadonlySet<string>> {
  const asked = [...new Set(organisations)];
  const answers = await Promise.all(asked.map((organisation) => attempt(kat.katalogus.knows(organisation))));
  return new Set(
    asked.filter((_organisation, at) => {
      const answer = answers[at]!;
      return answer.ok && !answer.value;
    }),
  );
}
