import { attemptEach, type Failure, type Result } from '../../src/mailbox/failure.ts';
import type { Delivery } from '../../src/mailbox/message.ts';
import type { Ooi, Plugin } from '../../src/kat/kat.ts';
import type { LookForNewBoefjes } from '../../src/protocol/commands.ts';
import type { SeenBoefjes } from '../../src/protocol/requests.ts';
import type { Setup } from '../../src/protocol/scheduler.ts';
import { admit } from './admission.ts';
import { aboutOf, type Candidate, candidateOf } from './candidate.ts';
import { refusalOf, runsOnEventsOnly } from './permission.ts';
import { boefjesByType, enabledOf, pluginsOf } from './services.ts';
import { tellDefaultLimits, type ToldLimits } from './default-limits.ts';
import { recurrenceOfPlugin, unscheduled } from './recurrence.ts';
import { changedOf, followRecurrence, recurrencesOf, warnOfCrons } from './correction.ts';
import { revokeLost, type Revocations, type Watch } from './revocation.ts';

/** What a look found. */
interface LookReport {
  readonly organisations: number;
  readonly newBoefjes: number;
  readonly queued: number;
  /** Organisations whose look is repeated by the next one. */
  readonly unfinished: readonly string[];
}

/** Looks at an organisation whose pairs a service rejects before these are given up: as many as events have. */
const attempts = 3;

/** What is remembered from look to look, per actor. */
interface Memory extends ToldLimits {
  /** Organisations that Katalogus does not know: reported once until it knows them again. */
  readonly unknown: Set<string>;
  /** Looks that ended with rejected pairs, by organisation. */
  readonly rejections: Map<string, number>;
  /** Crons that cannot be read and were warned of. */
  readonly crons: Set<string>;
}

/** Pages of 1 000 objects × 12 boefjes of an IP address: about one push a page. */
const setSize = 10_000;

/**
 * Looks for boefjes that are enabled now and were not when last looked, and queues them for what is there. What was seen
 * is kept by the supervisor, so a restart re-floods nothing (#4410); an organisation never looked at has only new ones.
 * An outage leaves an organisation's look to the next one, and only that organisation's. A pair that a service rejects
 * fails alone: the others of its organisation are queued.
 */
export function newBoefjeLook(
  setup: Setup,
  revocations: Revocations,
): (batch: readonly Delivery<LookForNewBoefjes>[]) => Promise<void> {
  const memory: Memory = { unknown: new Set(), rejections: new Map(), crons: new Set(), limits: true };
  return async (batch) => {
    const report = await look(setup, revocations, organisationsOf(batch), memory);
    for (const delivery of batch) delivery.done(report);
  };
}

/** Undefined for all: one message that asks for all is enough. */
function organisationsOf(batch: readonly Delivery<LookForNewBoefjes>[]): readonly string[] | undefined {
  const asked = batch.map((delivery) => delivery.message.organisations);
  return asked.includes(undefined) ? undefined : [...new Set(asked.flatMap((organisations) => organisations ?? []))];
}

async function look(
  setup: Setup,
  revocations: Revocations,
  asked: readonly string[] | undefined,
  memory: Memory,
): Promise<LookReport> {
  // A look is asked for when a boefje was just enabled, perhaps in a new organisation: a cached answer would not show it.
  const known = await setup.kat.katalogus.organisations({ fresh: true });
  const records = await setup.supervisor('seen-boefjes', asked === undefined ? {} : { organisations: asked });
  const seen = new Map(records.map((record) => [record.organisation, record]));
  await dropGone(
    setup,
    [...(asked ?? []), ...seen.keys()].filter((it) => !known.has(it)),
    seen,
    memory.unknown,
  );
  for (const organisation of known.keys()) memory.unknown.delete(organisation);

  const organisations = (asked ?? [...known.keys()]).filter((organisation) => known.has(organisation));
  const plugins = await pluginsOf(setup, organisations, { fresh: true, known });
  if (asked === undefined) await tellDefaultLimits(setup, [...plugins.values()], memory);
  const unfinished: string[] = [];
  let [newBoefjes, queued] = [0, 0];
  for (const organisation of organisations) {
    if (setup.stopping.aborted) {
      unfinished.push(organisation);
      continue;
    }
    const answer = plugins.get(organisation)!;
    if (answer.ok && answer.value === null) continue;
    const enabled = answer.ok ? enabledOf(answer.value) : [];
    warnOfCrons(setup, organisation, enabled, memory.crons);
    const before = seen.get(organisation);
    const known = before && new Set(before.boefjes);
    const found = enabled.filter((boefje) => known?.has(boefje.id) !== true);
    const changed = changedOf(enabled, before?.recurrences ?? null);
    if (answer.ok) await revokeLost(setup, revocations, { organisation, plugins: answer.value!, before: known });
    const result = answer.ok
      ? await revocations.watching((watch) => queueNew(setup, watch, organisation, found, changed))
      : answer;
    if (!result.ok) {
      setup.log.warn({ organisation, failure: result.failure }, 'look for new boefjes not finished, comes again');
      unfinished.push(organisation);
      continue;
    }
    queued += result.value.queued;
    if (comesAgain(setup, organisation, result.value.rejected, memory.rejections)) {
      unfinished.push(organisation);
      continue;
    }
    newBoefjes += found.length;
    if (before?.recurrences == null || found.length + changed.length > 0 || before.boefjes.length !== enabled.length) {
      const boefjes = enabled.map((boefje) => boefje.id);
      const recurrences = recurrencesOf(enabled, before?.recurrences ?? null);
      await setup.supervisor('save-seen-boefjes', { seen: [{ organisation, boefjes, recurrences }] });
    }
  }
  return { organisations: organisations.length, newBoefjes, queued, unfinished };
}

/** An organisation that is gone has nothing enabled: should it come back, everything in it is new. */
async function dropGone(
  setup: Setup,
  gone: readonly string[],
  seen: ReadonlyMap<string, SeenBoefjes>,
  unknown: Set<string>,
): Promise<void> {
  for (const organisation of new Set(gone)) {
    if (!unknown.has(organisation)) setup.log.warn({ organisation }, 'Katalogus does not know this organisation');
    unknown.add(organisation);
    const before = seen.get(organisation);
    if (before !== undefined && before.boefjes.length > 0) {
      await setup.supervisor('save-seen-boefjes', { seen: [{ ...before, boefjes: [] }] });
    }
  }
}

/** What a look came to that nothing cut short. */
interface Queued {
  readonly queued: number;
  /** Pairs about which a service answered, but not as agreed. */
  readonly rejected: readonly Rejected[];
}

interface Rejected {
  readonly candidate: Candidate;
  readonly failure: Failure;
}

/** Whether the next look asks about rejected pairs again: what a service always rejects must not be asked forever. */
function comesAgain(
  setup: Setup,
  organisation: string,
  rejected: readonly Rejected[],
  rejections: Map<string, number>,
): boolean {
  const looks = (rejections.get(organisation) ?? 0) + 1;
  if (rejected.length > 0 && looks < attempts) {
    rejections.set(organisation, looks);
    const facts = { organisation, pairs: rejected.length, failure: rejected[0]!.failure };
    setup.log.warn(facts, 'a service rejects new pairs, they are looked at again');
    return true;
  }
  rejections.delete(organisation);
  for (const { candidate, failure } of rejected) {
    setup.log.error({ ...aboutOf(candidate), why: failure.message }, 'new pair given up, a service rejects it');
  }
  return false;
}

const stopped: Result<never> = {
  ok: false,
  failure: { code: 'DRAINING', message: 'the actor is draining', retryable: true },
};

/** A failure where an outage or a drain cut it short. `changed`: boefjes with another recurrence than before. */
async function queueNew(
  setup: Setup,
  watch: Watch,
  organisation: string,
  found: readonly Plugin[],
  changed: readonly Plugin[],
): Promise<Result<Queued>> {
  for (const boefje of changed) if (!(await followRecurrence(setup, organisation, boefje))) return stopped;
  if (found.length > 0) {
    const reasons = ['boefje-disabled', 'boefje-gone', 'organisation-gone', 'unknown'] as const;
    await setup.supervisor('enable-schedules', { organisation, boefjes: found.map(({ id }) => id), reasons });
  }
  // A boefje that runs on operations only does not run on OOIs that are there already.
  const boefjes = boefjesByType(found.filter((boefje) => !runsOnEventsOnly(boefje)));
  if (boefjes.size === 0) return { ok: true, value: { queued: 0, rejected: [] } };
  const least = Math.min(...[...boefjes.values()].flat().map((boefje) => boefje.scanLevel));
  const scanLevels = [0, 1, 2, 3, 4].filter((level) => level >= least);
  const pages = setup.kat.octopoes.objects(organisation, { types: [...boefjes.keys()], scanLevels });
  let queued = 0;
  const rejected: Rejected[] = [];
  for await (const page of attemptEach(pages)) {
    if (!page.ok) return page;
    const candidates = candidatesOf(setup, organisation, page.value, boefjes);
    for (let from = 0; from < candidates.length; from += setSize) {
      if (setup.stopping.aborted) return stopped;
      const set = candidates.slice(from, from + setSize);
      for (const [at, verdict] of (await admit(setup, watch, set)).entries()) {
        if (verdict.verdict === 'queued') queued += 1;
        if (verdict.verdict !== 'failed' || !verdict.failure.retryable) continue;
        if (verdict.failure.code !== 'SERVICE_REJECTED') return { ok: false, failure: verdict.failure };
        rejected.push({ candidate: set[at]!, failure: verdict.failure });
      }
    }
  }
  return { ok: true, value: { queued, rejected } };
}

function candidatesOf(
  setup: Setup,
  organisation: string,
  page: readonly Ooi[],
  boefjes: ReadonlyMap<string, readonly Plugin[]>,
): readonly Candidate[] {
  const candidates: Candidate[] = [];
  for (const ooi of page) {
    for (const plugin of boefjes.get(ooi.objectType) ?? []) {
      const refusal = refusalOf(plugin, ooi);
      if (refusal !== null) setup.refuse(refusal, { organisation, boefje: plugin.id, ooi: ooi.primaryKey });
      else {
        const recurrence = recurrenceOfPlugin(plugin, unscheduled(ooi.primaryKey), setup) ?? 'default';
        candidates.push(
          candidateOf({ organisation, plugin, ooi: ooi.primaryKey, recurrence, byRecurrence: false, trace: null }),
        );
      }
    }
  }
  return candidates;
}
