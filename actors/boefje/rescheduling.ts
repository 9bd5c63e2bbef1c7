import type { Delivery } from '../../src/mailbox/message.ts';
import type { Failure } from '../../src/mailbox/failure.ts';
import type { Plugin } from '../../src/kat/kat.ts';
import type { Reschedule } from '../../src/protocol/commands.ts';
import type { DueSchedule, Recurrence, Revocation, ScheduleSettlement } from '../../src/protocol/requests.ts';
import type { Setup } from '../../src/protocol/scheduler.ts';
import { boefjeData } from '../../src/tasks/data.ts';
import { clockOfDue } from '../../src/tasks/cron.ts';
import { admit } from './admission.ts';
import { aboutOf, type Candidate, candidateOf } from './candidate.ts';
import { ooisOf, pluginsOf, type Plugins } from './services.ts';
import { decideBoefje, decideOoi, isUncleared, pluginIn } from './permission.ts';
import { decideRecurrence, iso, isByRecurrence, paceOf, recurrenceOf, settlementOf } from './recurrence.ts';
import { confirmLosses, isLoss, type Revocations, revokedHash, type Watch } from './revocation.ts';

/** Octopoes answers up to this many references in one request. */
const claimSize = 1000;

/** Batches in a row that come to nothing after which a service, not an organisation, is taken to be out. */
const mostSilentBatches = 3;

/** When a pair that a service rejects is asked about again: not every minute, and before users miss it. */
const afterRejectionMs = 3_600_000;

/**
 * Queues what is due, oldest deadline first, until nothing is. Each examined schedule moves on or is disabled with its reason,
 * refused or not (lessons §0.6), and is examined once per tick. What an outage leaves undecided stays unsettled and comes back
 * when its claim ends; the tick skips the rest of an organisation that is out. From the second batch on three run side by side:
 * two are examined while one is queued, which one at a time does (src/queue/push/duplicates.ts).
 */
export async function reschedule(
  setup: Setup,
  revocations: Revocations,
  batch: readonly Delivery<Reschedule>[],
): Promise<void> {
  const tick: Tick = { revocations, examined: new Set(), out: new Map(), settled: 0, silent: 0, full: false };
  let more = true;
  // One batch finds out that a service is away, not three at once.
  while (more && tick.settled === 0) more = await settleBatch(setup, tick);
  const lanes = !more ? 0 : tick.examined.size < claimSize ? 1 : 3;
  const ended = await Promise.allSettled(Array.from({ length: lanes }, () => settleAll(setup, tick)));
  for (const lane of ended) if (lane.status === 'rejected') throw lane.reason;
  const report = { examined: tick.examined.size, settled: tick.settled, left: tick.examined.size - tick.settled };
  const [failure] = tick.out.values();
  if (report.left > 0) setup.log.warn({ ...report, failure }, 'due schedules left for the next tick');
  for (const delivery of batch) delivery.done(report);
}

/** What batches that run side by side share. */
interface Tick {
  readonly revocations: Revocations;
  readonly examined: Set<string>;
  readonly out: Map<string, Failure>;
  settled: number;
  /** Batches in a row that came to nothing. */
  silent: number;
  full: boolean;
}

async function settleAll(setup: Setup, tick: Tick): Promise<void> {
  let more = true;
  while (more) more = await settleBatch(setup, tick);
}

/** Claims a batch of what this tick has not examined, examines and settles it. @returns whether to go on */
async function settleBatch(setup: Setup, tick: Tick): Promise<boolean> {
  const { examined, out } = tick;
  const claimed = await setup.supervisor('claim-due-schedules', { limit: claimSize, except: [...out.keys()] });
  const due = claimed.filter((schedule) => !examined.has(schedule.id));
  if (due.length === 0) return false;
  for (const schedule of due) examined.add(schedule.id);
  const outBefore = out.size;
  const { settlements, moved, full } = await tick.revocations.watching((watch) =>
    examine(clockOfDue(setup, due), watch, due, out),
  );
  if (settlements.length > 0) await setup.supervisor('settle-schedules', { settlements });
  const settled = settlements.length + moved;
  tick.settled += settled;
  tick.silent = settled > 0 || out.size > outBefore ? 0 : tick.silent + 1;
  tick.full ||= full;
  return tick.silent < mostSilentBatches && !tick.full && !setup.stopping.aborted;
}

interface ExaminedBatch {
  /** One per schedule that could be decided and was not moved; the organisations of others land in `out`. */
  readonly settlements: readonly ScheduleSettlement[];
  /** Schedules that the push of their task has moved. */
  readonly moved: number;
  /** Further due schedules would find no room: the tick ends. */
  readonly full: boolean;
}

async function examine(
  setup: Setup,
  watch: Watch,
  due: readonly DueSchedule[],
  out: Map<string, Failure>,
): Promise<ExaminedBatch> {
  const settlements: ScheduleSettlement[] = [];
  const runnables = await runnablesOf(setup, watch, due, settlements, out);
  const permitted = await candidatesOf(setup, watch, runnables, settlements, out);
  const candidates = await stillEnabled(setup, permitted, settlements);
  const verdicts = await admit(
    setup,
    watch,
    candidates.map(({ candidate }) => candidate),
  );
  let [moved, full] = [0, false];
  const rejected: string[] = [];
  for (const [at, { schedule, candidate, recurrence }] of candidates.entries()) {
    const { id, version } = schedule;
    const verdict = verdicts[at]!;
    if (verdict.verdict === 'failed') {
      full ||= verdict.failure.code === 'QUEUE_FULL';
      if (verdict.failure.code === 'SERVICE_REJECTED') {
        rejected.push(verdict.failure.message);
        settlements.push({ id, version, deadlineAt: iso(setup.now() + afterRejectionMs) });
      }
      if (verdict.failure.retryable) continue;
      setup.log.error({ schedule: id, ...verdict.failure }, 'due task cannot be pushed, its schedule moves on');
      settlements.push({ id, version, ...recurrence });
    }
    // The push has moved the schedule of its hash, so that the version is another one. An adopted one may have another hash.
    else if (verdict.verdict === 'queued' && schedule.hash === candidate.hash) moved += 1;
    else if (verdict.verdict === 'queued') settlements.push({ id, version, ...recurrence });
    else settlements.push(settlementOf(schedule, verdict.reason, recurrence, verdict));
  }
  if (rejected.length > 0) {
    setup.log.warn(
      { schedules: rejected.length, why: rejected[0] },
      'a service rejects due pairs, asked again in an hour',
    );
  }
  return { settlements, moved, full };
}

/** A due schedule of a boefje that may run in its organisation. */
interface Runnable {
  readonly schedule: DueSchedule;
  readonly plugin: Plugin;
  readonly ooi: string | null;
}

async function runnablesOf(
  setup: Setup,
  watch: Watch,
  due: readonly DueSchedule[],
  settlements: ScheduleSettlement[],
  out: Map<string, Failure>,
): Promise<readonly Runnable[]> {
  const kept = await pluginsOf(
    setup,
    due.map((schedule) => schedule.organisation),
  );
  const lost = due.filter((schedule) => {
    const answer = kept.get(schedule.organisation)!;
    return answer.ok && isLoss(boefjeOf(schedule, answer.value).reason);
  });
  const plugins = new Map([...kept, ...(await confirmLosses(setup, watch.revocations, lost))]);
  const runnables: Runnable[] = [];
  for (const schedule of due) {
    const { organisation } = schedule;
    const answer = plugins.get(organisation)!;
    if (!answer.ok) {
      out.set(organisation, answer.failure);
      continue;
    }
    const { parsed, plugin, reason } = boefjeOf(schedule, answer.value);
    if (typeof plugin !== 'string' && reason === null)
      runnables.push({ schedule, plugin, ooi: parsed?.input_ooi || null });
    else {
      setup.refuse(reason ?? 'boefje-gone', {
        organisation,
        boefje: parsed?.boefje.id ?? null,
        ooi: parsed?.input_ooi ?? null,
      });
      settlements.push(settlementOf(schedule, reason ?? 'boefje-gone', null));
    }
  }
  return runnables;
}

function boefjeOf(schedule: DueSchedule, plugins: Plugins) {
  const parsed = boefjeData.safeParse(schedule.data).data;
  const plugin = pluginIn(plugins, parsed?.boefje.id, schedule.organisation, null);
  const reason = typeof plugin === 'string' ? plugin : decideBoefje(plugin, 'schedule', null);
  return { parsed, plugin, reason };
}

interface DueCandidate {
  readonly schedule: DueSchedule;
  readonly candidate: Candidate;
  readonly recurrence: Recurrence;
}

async function candidatesOf(
  setup: Setup,
  watch: Watch,
  runnables: readonly Runnable[],
  settlements: ScheduleSettlement[],
  out: Map<string, Failure>,
): Promise<readonly DueCandidate[]> {
  const asked = runnables.map(({ schedule: { organisation }, ooi }) => ({ organisation, ooi }));
  const oois = await ooisOf(setup, asked, out);
  const candidates: DueCandidate[] = [];
  const ended: Revocation[] = [];
  for (const { schedule, plugin, ooi: reference } of runnables) {
    const { organisation, version } = schedule;
    const known = { ...schedule, ooi: reference };
    const recurrence = { ...recurrenceOf(plugin, known, setup), version };
    const existing = reference === null ? null : oois.get(organisation);
    if (existing === undefined) continue;
    const reason =
      decideRecurrence(recurrence, 'schedule', null) ??
      (existing === null ? null : decideOoi(plugin, reference!, existing, null));
    if (reason !== null) {
      setup.refuse(reason, { organisation, boefje: plugin.id, ooi: reference });
      settlements.push(settlementOf(schedule, reason, recurrence));
      const isOld = reference !== null && watch.heardOf(organisation, reference);
      if (isUncleared(reason) && !isOld) ended.push(revokedHash(organisation, plugin, reference!));
      continue;
    }
    const byRecurrence = isByRecurrence(plugin, known);
    const pace = paceOf(plugin, known, setup.settings);
    candidates.push({
      schedule,
      recurrence,
      candidate: candidateOf({ organisation, plugin, ooi: reference, recurrence, byRecurrence, pace, trace: null }),
    });
  }
  await watch.revocations.revoke(setup, ended);
  return candidates;
}

/** A person may have disabled a schedule while services were asked: it stays as they left it. */
async function stillEnabled(
  setup: Setup,
  candidates: readonly DueCandidate[],
  settlements: ScheduleSettlement[],
): Promise<readonly DueCandidate[]> {
  if (candidates.length === 0) return candidates;
  const ids = candidates.map(({ schedule }) => schedule.id);
  const disabled = new Set(await setup.supervisor('disabled-schedules', { ids }));
  for (const { schedule, candidate } of candidates.filter((it) => disabled.has(it.schedule.id))) {
    setup.refuse('schedule-disabled', aboutOf(candidate));
    settlements.push({ id: schedule.id, version: schedule.version });
  }
  return candidates.filter(({ schedule }) => !disabled.has(schedule.id));
}
