import { attempt, type Failure } from '../../src/mailbox/failure.ts';
import type { Ooi } from '../../src/kat/kat.ts';
import type { Setup } from '../../src/protocol/scheduler.ts';
import { aboutOf, type Candidate, candidateOf, hashOf, type Run } from './candidate.ts';
import { historiesOf } from './history.ts';
import { inParallel, pluginsOf } from './services.ts';
import { isRunOn, pluginIn, refusalOf } from './permission.ts';
import { recurrenceOfPlugin, unscheduled } from './recurrence.ts';
import { chance } from '../../src/time-and-chance.ts';

/** Requests in flight to Katalogus and Octopoes: within each client's 10 connections. */
const width = 8;

/**
 * Cross-organisation deduplication: organisations that configured a boefje identically and have the same OOI share one
 * scan. Returns the runs with the key of their group. Each head, whose id is the key, is followed by siblings that no event or
 * schedule asked for. A sibling passes the checks of its own organisation: plug-in, clearance, history (lessons §1).
 *
 * Deduplication saves scans and never stops one: where Katalogus or Octopoes does not answer, a run goes alone.
 */
export async function withSiblings(setup: Setup, runs: readonly Run[]): Promise<readonly Run[]> {
  const outages: Outages = new Map();
  const sharers = await sharersOf(setup, runs, outages);
  const owners = await ownersOf(setup, sharers, outages);
  for (const failure of outages.values())
    setup.log.warn({ failure }, 'cannot tell who shares a boefje, tasks go alone');
  if (owners.size === 0) return runs;
  const groups = groupsOf(runs, sharers, owners);
  const siblings = await admittedSiblings(setup, groups);
  const output: Run[] = [];
  for (const { head, members, invited } of groups) {
    const joined = invited.flatMap((sibling) => siblings.get(sibling) ?? []);
    if (members.length + joined.length === 0) output.push(head);
    else {
      const id = chance.uuid();
      output.push({ ...head, id, deduplicationKey: id });
      for (const run of [...members, ...joined]) output.push({ ...run, deduplicationKey: id });
    }
  }
  return output;
}

/** Failures of Katalogus and Octopoes by their message: many organisations fail for one reason. */
type Outages = Map<string, Failure>;

/** Runs that may be shared, with the organisations that configured their boefje identically. */
async function sharersOf(
  setup: Setup,
  runs: readonly Run[],
  outages: Outages,
): Promise<ReadonlyMap<Run, readonly string[]>> {
  const sharers = new Map<Run, readonly string[]>();
  const shareable = runs.filter(
    ({ candidate: { plugin, ooi } }) => ooi !== null && plugin.deduplicate && !isRunOn(plugin),
  );
  if (shareable.length === 0) return sharers;
  const organisations = await attempt(setup.kat.katalogus.organisations());
  if (!organisations.ok) {
    outages.set(organisations.failure.message, organisations.failure);
    return sharers;
  }
  const willing = new Set([...organisations.value.values()].filter((it) => it.deduplicate).map((it) => it.id));
  if (willing.size < 2) return sharers;

  const byBoefje = Map.groupBy(
    shareable.filter(({ candidate }) => willing.has(candidate.organisation)),
    ({ candidate }) => JSON.stringify([candidate.organisation, candidate.plugin.id]),
  );
  await inParallel([...byBoefje.values()], width, async (group) => {
    const { organisation, plugin } = group[0]!.candidate;
    const configs = await attempt(setup.kat.katalogus.boefjeConfigs(organisation, plugin.id));
    if (!configs.ok) {
      outages.set(configs.failure.message, configs.failure);
      return;
    }
    const own = configs.value.find(
      (config) => config.enabled && config.organisationId === organisation && config.boefjeId === plugin.id,
    );
    const others = (own?.duplicates ?? [])
      .filter((other) => other.enabled && other.organisationId !== organisation && willing.has(other.organisationId))
      .map((other) => other.organisationId);
    if (others.length > 0) for (const run of group) sharers.set(run, others);
  });
  return sharers;
}

/** The OOI in each organisation that has it: one request per OOI for all its boefjes. */
async function ownersOf(
  setup: Setup,
  sharers: ReadonlyMap<Run, readonly string[]>,
  outages: Outages,
): Promise<ReadonlyMap<string, ReadonlyMap<string, Ooi>>> {
  const wanted = new Map<string, Set<string>>();
  for (const [{ candidate }, organisations] of sharers) {
    const reference = candidate.ooi!;
    wanted.set(reference, new Set([...(wanted.get(reference) ?? []), ...organisations]));
  }
  const owners = new Map<string, ReadonlyMap<string, Ooi>>();
  await inParallel([...wanted], width, async ([reference, organisations]) => {
    const answer = await attempt(setup.kat.octopoes.objectClients(reference, [...organisations]));
    if (answer.ok) owners.set(reference, answer.value);
    else outages.set(answer.failure.message, answer.failure);
  });
  return owners;
}

interface Group {
  readonly head: Run;
  /** Runs of this batch that share the head's scan. */
  readonly members: readonly Run[];
  /** Organisations that share it and were not asked for. */
  readonly invited: readonly Invitation[];
}

interface Invitation {
  readonly head: Run;
  readonly ooi: Ooi;
  readonly organisation: string;
}

function groupsOf(
  runs: readonly Run[],
  sharers: ReadonlyMap<Run, readonly string[]>,
  owners: ReadonlyMap<string, ReadonlyMap<string, Ooi>>,
): readonly Group[] {
  const byHash = new Map(runs.map((run) => [run.candidate.hash, run]));
  const taken = new Set<string>();
  const groups: Group[] = [];
  for (const head of runs) {
    if (taken.has(head.candidate.hash)) continue;
    taken.add(head.candidate.hash);
    const members: Run[] = [];
    const invited: Invitation[] = [];
    for (const organisation of sharers.get(head) ?? []) {
      const ooi = owners.get(head.candidate.ooi!)?.get(organisation);
      const hash = hashOf({ ...head.candidate, organisation });
      if (ooi === undefined || taken.has(hash)) continue;
      taken.add(hash);
      const member = byHash.get(hash);
      if (member) members.push(member);
      else invited.push({ head, ooi, organisation });
    }
    groups.push({ head, members, invited });
  }
  return groups;
}

async function admittedSiblings(setup: Setup, groups: readonly Group[]): Promise<ReadonlyMap<Invitation, Run>> {
  const invitations = groups.flatMap((group) => group.invited);
  const plugins = await pluginsOf(
    setup,
    invitations.map((invitation) => invitation.organisation),
  );
  const permitted: { invitation: Invitation; candidate: Candidate }[] = [];
  for (const invitation of invitations) {
    const { organisation, ooi, head } = invitation;
    const answer = plugins.get(organisation)!;
    if (!answer.ok) continue;
    const about = { organisation, boefje: head.candidate.plugin.id, ooi: ooi.primaryKey };
    const plugin = pluginIn(answer.value, head.candidate.plugin.id, organisation, null);
    if (typeof plugin === 'string') {
      setup.refuse(plugin, about);
      continue;
    }
    const refusal = refusalOf(plugin, ooi) ?? (isRunOn(plugin) ? 'no-run-on' : null);
    if (refusal === null) {
      const asked = recurrenceOfPlugin(plugin, unscheduled(ooi.primaryKey), setup);
      // Its own deadline is not known here; by a cron it is due when the head is.
      const byRecurrence = head.candidate.byRecurrence && asked?.inherited === true;
      const recurrence = asked ?? 'default';
      const { trace } = head.candidate;
      permitted.push({
        invitation,
        candidate: candidateOf({ organisation, plugin, ooi: ooi.primaryKey, recurrence, byRecurrence, trace }),
      });
    } else setup.refuse(refusal, about);
  }
  const histories = await historiesOf(
    setup,
    permitted.map(({ candidate }) => candidate),
  );
  const admitted = new Map<Invitation, Run>();
  for (const [at, { invitation, candidate }] of permitted.entries()) {
    const history = histories[at]!;
    if (history.state === 'free') {
      const { lastRunAt, latest: follows } = history;
      admitted.set(invitation, { candidate, lastRunAt, follows, deduplicationKey: null });
    } else if (history.state === 'refused') setup.refuse(history.reason, aboutOf(candidate));
  }
  return admitted;
}
