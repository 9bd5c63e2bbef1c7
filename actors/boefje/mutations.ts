import type { Delivery } from '../../src/mailbox/message.ts';
import type { Failure } from '../../src/mailbox/failure.ts';
import type { Ooi } from '../../src/kat/kat.ts';
import type { ScanProfileMutated } from '../../src/protocol/events.ts';
import type { NewSchedule, Revocation } from '../../src/protocol/requests.ts';
import type { Setup } from '../../src/protocol/scheduler.ts';
import { admit } from './admission.ts';
import { type Candidate, candidateOf, newScheduleOf } from './candidate.ts';
import { ooisOf, boefjesByType, pluginsOf } from './services.ts';
import { decideOperations, refusalOf, runsOnEventsOnly } from './permission.ts';
import { recurrenceOfPlugin, unscheduled } from './recurrence.ts';
import { type Revocations, withdrawn } from './revocation.ts';

/** What a batch of mutations comes to for one OOI. */
interface OoiChange {
  readonly organisation: string;
  readonly primaryKey: string;
  /** As the last mutation left it; null where that deleted it. */
  readonly ooi: (Pick<Ooi, 'scanLevel'> & { readonly objectType: string | null }) | null;
  /** Since it last came into being: an update does not hide the create before it from run_on boefjes. */
  readonly operations: ReadonlySet<'create' | 'update'>;
  /** Traceparent of the last mutation. */
  readonly trace: string;
}

/** The last mutation of an OOI decides; a delete forgets the operations before it. */
export function fold(
  deliveries: Iterable<Pick<Delivery<ScanProfileMutated>, 'message' | 'trace'>>,
): readonly OoiChange[] {
  const changes = new Map<string, OoiChange>();
  for (const { message, trace } of deliveries) {
    const { operation, organisation, primaryKey, objectType, scanLevel } = message;
    const key = keyOf({ organisation, primaryKey });
    const before = changes.get(key)?.operations ?? [];
    changes.set(
      key,
      operation === 'delete'
        ? { organisation, primaryKey, trace, ooi: null, operations: new Set() }
        : {
            organisation,
            primaryKey,
            trace,
            ooi: { objectType, scanLevel },
            operations: new Set([...before, operation]),
          },
    );
  }
  return [...changes.values()];
}

function keyOf({ organisation, primaryKey }: { organisation: string; primaryKey: string }): string {
  return JSON.stringify([organisation, primaryKey]);
}

/**
 * Octopoes changed scan profiles: forget what is gone, cancel what is queued and may not run any more, bring back what was
 * disabled for it, queue what may run now.
 */
export async function handleMutations(
  setup: Setup,
  revocations: Revocations,
  batch: readonly Delivery<ScanProfileMutated>[],
): Promise<void> {
  const failures = new Map<string, Failure>();
  const changes = await asTheyAre(setup, batch, failures);
  for (const { organisation, primaryKey, ooi } of changes) {
    revocations.changed(organisation, primaryKey, ooi === null ? undefined : ooi.scanLevel);
  }
  await forget(setup, revocations, changes);
  const { pairs, verdicts } = await revocations.watching(async (watch) => {
    const { pairs, waiting, ended } = await permittedPairs(setup, changes, failures);
    const candidates = pairs.map(({ candidate }) => candidate);
    const before = Promise.all([revocations.revoke(setup, ended), schedule(setup, pairs, waiting)]);
    return { pairs, verdicts: await admit(setup, watch, candidates, before) };
  });
  for (const [at, { change }] of pairs.entries()) {
    const verdict = verdicts[at]!;
    if (verdict.verdict === 'failed') failures.set(keyOf(change), verdict.failure);
  }
  // All mutations of one OOI share its fate: the create that an update was folded into must come again with it.
  for (const delivery of batch) {
    const failure = failures.get(keyOf(delivery.message));
    if (failure) delivery.fail(failure);
    else delivery.done();
  }
}

/**
 * What the batch comes to. An event that comes again, after an outage or a death, may be older than what was handled since:
 * so Octopoes is asked for its OOI as it is now. The event decides where Octopoes does not have the OOI.
 */
async function asTheyAre(
  setup: Setup,
  batch: readonly Delivery<ScanProfileMutated>[],
  failures: Map<string, Failure>,
): Promise<readonly OoiChange[]> {
  const changes = fold(batch);
  const again = batch.flatMap(({ again, message }) => (again === true ? [message] : []));
  if (again.length === 0) return changes;
  const doubted = new Set(again.map(keyOf));
  const out = new Map<string, Failure>();
  const oois = await ooisOf(
    setup,
    again.map(({ organisation, primaryKey: ooi }) => ({ organisation, ooi })),
    out,
  );
  return changes.flatMap((change) => {
    if (!doubted.has(keyOf(change))) return [change];
    const outage = out.get(change.organisation);
    if (outage !== undefined) {
      failures.set(keyOf(change), outage);
      return [];
    }
    const ooi = oois.get(change.organisation)?.get(change.primaryKey);
    return [ooi === undefined ? change : { ...change, ooi }];
  });
}

async function forget(setup: Setup, revocations: Revocations, changes: readonly OoiChange[]): Promise<void> {
  const gone = changes.filter((change) => change.ooi === null);
  if (gone.length === 0) return;
  await revocations.pushed();
  const oois = gone.map(({ organisation, primaryKey }) => ({ organisation, ooi: primaryKey }));
  await setup.supervisor('forget-oois', { oois });
}

interface Pair {
  readonly change: OoiChange;
  readonly candidate: Candidate;
}

interface Permitted {
  /** That may run now. */
  readonly pairs: readonly Pair[];
  /** That run on other operations, and by a recurrence of their boefje. */
  readonly waiting: readonly Waiting[];
  /** What may be queued for pairs that have lost their clearance. */
  readonly ended: readonly Revocation[];
}

interface Waiting {
  readonly change: OoiChange;
  readonly schedule: NewSchedule;
}

async function permittedPairs(
  setup: Setup,
  changes: readonly OoiChange[],
  failures: Map<string, Failure>,
): Promise<Permitted> {
  const byOrganisation = Map.groupBy(
    changes.filter((change) => change.ooi !== null),
    (change) => change.organisation,
  );
  const plugins = await pluginsOf(setup, byOrganisation.keys());
  const pairs: Pair[] = [];
  const waiting: Waiting[] = [];
  const ended: Revocation[] = [];
  for (const [organisation, changed] of byOrganisation) {
    const answer = plugins.get(organisation)!;
    if (!answer.ok) {
      for (const change of changed) failures.set(keyOf(change), answer.failure);
      continue;
    }
    const boefjes = answer.value === null ? null : boefjesByType(answer.value.values());
    if (boefjes !== null) ended.push(...withdrawn(organisation, changed, boefjes));
    for (const change of changed) {
      const about = { organisation, boefje: null, ooi: change.primaryKey };
      const { objectType, scanLevel } = change.ooi!;
      if (boefjes === null) setup.refuse('organisation-gone', about);
      else if (objectType === null || scanLevel === null) setup.refuse('no-scan-profile', about);
      else {
        const ooi = { primaryKey: change.primaryKey, objectType, scanLevel };
        for (const plugin of boefjes.get(objectType) ?? []) {
          const refusal = refusalOf(plugin, ooi);
          if (refusal !== null) {
            setup.refuse(refusal, { ...about, boefje: plugin.id });
            continue;
          }
          const recurrence = runsOnEventsOnly(plugin)
            ? 'none'
            : (recurrenceOfPlugin(plugin, unscheduled(ooi.primaryKey), setup) ?? 'default');
          const candidate = candidateOf({
            organisation,
            plugin,
            ooi: ooi.primaryKey,
            recurrence,
            byRecurrence: false,
            trace: change.trace,
          });
          const onOthers = decideOperations(plugin, change.operations, null);
          if (onOthers === null) pairs.push({ change, candidate });
          else {
            setup.refuse(onOthers, { ...about, boefje: plugin.id });
            if (typeof recurrence === 'object')
              waiting.push({ change, schedule: newScheduleOf(candidate, recurrence) });
          }
        }
      }
    }
  }
  return { pairs, waiting, ended };
}

/**
 * An OOI on which something may run: schedules that went with its clearance, or with itself, come back (lessons §1). One
 * that still lacks the clearance is disabled again when it falls due. A pair that this operation does not run gets a schedule,
 * if it has none: there may be no later event.
 */
async function schedule(setup: Setup, pairs: readonly Pair[], waiting: readonly Waiting[]): Promise<void> {
  const permitted = new Set([...pairs, ...waiting].map(({ change }) => change));
  const oois = [...permitted].map(({ organisation, primaryKey: ooi }) => ({ organisation, ooi }));
  if (oois.length > 0) {
    await setup.supervisor('enable-schedules', { oois, reasons: ['scan-level-too-low', 'ooi-gone'] });
  }
  if (waiting.length === 0) return;
  const schedules = waiting.map((pair) => pair.schedule);
  await setup.supervisor('add-schedules', { schedules });
}
