import type { Ooi, Plugin } from '../../src/kat/kat.ts';
import type { Explain } from '../../src/protocol/commands.ts';
import type { Recorder, RefusalReason } from '../../src/tasks/refusal.ts';
import { cronOf, intervalMsOf } from './recurrence.ts';
import type { Plugins } from './services.ts';

/** One thing that must hold of a boefje and what it is about; each rule may rely on those before it. */
interface Rule<About> {
  readonly rule: string;
  readonly reason: RefusalReason;
  readonly refuses: (plugin: Plugin, about: About) => boolean;
  /** What it decides by, for `rota explain`. */
  readonly fact: (plugin: Plugin, about: About) => string;
}

const boefjeRules: readonly Rule<unknown>[] = [
  {
    rule: 'plug-in',
    reason: 'not-a-boefje',
    refuses: (plugin) => plugin.type !== 'boefje',
    fact: (plugin) => `${plugin.id} is a ${plugin.type}`,
  },
  {
    rule: 'enabled',
    reason: 'boefje-disabled',
    refuses: (plugin) => !plugin.enabled,
    fact: (plugin) => `${plugin.id} is ${plugin.enabled ? 'enabled' : 'disabled'} in this organisation`,
  },
];

/** A boefje that names operations runs by its schedule only where it has a recurrence, too. */
const scheduledRules: readonly Rule<unknown>[] = [
  ...boefjeRules,
  {
    rule: 'run on',
    reason: 'no-run-on',
    refuses: (plugin) => runsOnEventsOnly(plugin),
    fact: (plugin) => runOnFact(plugin, runsOnEventsOnly(plugin) ? ', not by schedule' : ', and by time'),
  },
];

/** Scan levels go from 0 to 4: the OOI's is the clearance it has, the boefje's the intensity it needs. */
const ooiRules: readonly Rule<Ooi>[] = [
  {
    rule: 'input',
    reason: 'not-consumed',
    refuses: (plugin, ooi) => !plugin.consumes.includes(ooi.objectType),
    fact: (plugin, ooi) => `it consumes ${plugin.consumes.join(', ') || 'nothing'}; the OOI is a ${ooi.objectType}`,
  },
  {
    rule: 'scan profile',
    reason: 'no-scan-profile',
    refuses: (_plugin, ooi) => ooi.scanLevel === null,
    fact: (_plugin, ooi) => `the OOI has ${ooi.scanLevel === null ? 'no scan profile' : 'a scan profile'}`,
  },
  {
    rule: 'clearance',
    reason: 'scan-level-too-low',
    refuses: (plugin, ooi) => ooi.scanLevel !== null && ooi.scanLevel < plugin.scanLevel,
    fact: (plugin, ooi) => `the OOI has level ${ooi.scanLevel ?? 'none'}; the boefje needs ${plugin.scanLevel}`,
  },
];

type MutationOperations = ReadonlySet<'create' | 'update'>;

const operationRules: readonly Rule<MutationOperations>[] = [
  {
    rule: 'run on',
    reason: 'no-run-on',
    refuses: (plugin, operations) => isRunOn(plugin) && !plugin.runOn!.some((operation) => operations.has(operation)),
    fact: (plugin, operations) => runOnFact(plugin, `; the next event is an ${[...operations].join(' or ')}`),
  },
];

/**
 * Applies rules in their order. `plugin` and `about` are null where there is none to apply them to: they are skipped.
 *
 * @returns the first refusal; null where nothing refuses
 */
function decide<About>(
  rules: readonly Rule<About>[],
  plugin: Plugin | null,
  about: About | null,
  record: Recorder | null,
): RefusalReason | null {
  let refusal: RefusalReason | null = null;
  for (const { rule, reason, refuses, fact } of rules) {
    if (plugin === null || about === null) {
      record?.(rule, null, 'nothing to ask about', 'skipped');
      continue;
    }
    const refused = refuses(plugin, about);
    record?.(rule, refused ? reason : null, fact(plugin, about));
    if (refused) refusal ??= reason;
    if (refusal !== null && record === null) return refusal;
  }
  return refusal;
}

/** The plug-in of that id in an organisation, or why there is none. */
export function pluginIn(
  plugins: Plugins,
  id: string | undefined,
  organisation: string,
  record: Recorder | null,
): Plugin | 'organisation-gone' | 'boefje-gone' {
  if (plugins === null) {
    record?.('boefje', 'organisation-gone', `Katalogus does not know organisation ${organisation}`);
    return 'organisation-gone';
  }
  const plugin = id === undefined ? undefined : plugins.get(id);
  if (plugin === undefined) {
    record?.('boefje', 'boefje-gone', `Katalogus does not know ${id} in ${organisation}`);
    return 'boefje-gone';
  }
  record?.('boefje', null, `Katalogus knows ${id} in ${organisation}`);
  return plugin;
}

/** Why a boefje does not run, by the rules that need no OOI. */
export function decideBoefje(
  plugin: Plugin | null,
  trigger: Explain['trigger'],
  record: Recorder | null,
): RefusalReason | null {
  return decide(trigger === 'schedule' ? scheduledRules : boefjeRules, plugin, true, record);
}

/** Why a boefje may not run on an OOI by what Octopoes says of it. */
export function decideOoi(
  plugin: Plugin | null,
  reference: string,
  oois: ReadonlyMap<string, Ooi>,
  record: Recorder | null,
): RefusalReason | null {
  const ooi = oois.get(reference);
  record?.('ooi', ooi === undefined ? 'ooi-gone' : null, `Octopoes ${ooi ? 'knows' : 'does not know'} ${reference}`);
  const refusal = decide(ooiRules, plugin, ooi ?? null, record);
  return ooi === undefined ? 'ooi-gone' : refusal;
}

/** Octopoes does not answer. */
export function skipOoi(record: Recorder): void {
  decide(ooiRules, null, null, record);
}

/** Why an event does not run a boefje: it runs on other operations. */
export function decideOperations(
  plugin: Plugin | null,
  operations: MutationOperations,
  record: Recorder | null,
): RefusalReason | null {
  return decide(operationRules, plugin, operations, record);
}

/** Why a boefje may not run on an OOI, or null where it may. */
export function refusalOf(plugin: Plugin, ooi: Ooi): RefusalReason | null {
  return decide(boefjeRules, plugin, true, null) ?? decide(ooiRules, plugin, ooi, null);
}

const clearanceRules = ooiRules.filter(({ reason }) => isUncleared(reason));

/** Whether a boefje needs more clearance than an OOI has, whether or not it consumes the OOI's type. */
export function lacksClearance(plugin: Plugin, ooi: Ooi): boolean {
  return clearanceRules.some((rule) => rule.refuses(plugin, ooi));
}

/** Whether a refusal is for want of clearance: what is queued for the pair must not run then. */
export function isUncleared(reason: RefusalReason): boolean {
  return reason === 'scan-level-too-low' || reason === 'no-scan-profile';
}

/** Whether a boefje names the operations that it runs on. An empty list is none, as in mula. */
export function isRunOn(plugin: Plugin): boolean {
  return plugin.runOn !== null && plugin.runOn.length > 0;
}

/** It has no schedule. With a cron or an interval a boefje runs on its operations and by its recurrence. */
export function runsOnEventsOnly(plugin: Plugin): boolean {
  return isRunOn(plugin) && cronOf(plugin) === null && intervalMsOf(plugin) === null;
}

function runOnFact(plugin: Plugin, more: string): string {
  if (!isRunOn(plugin)) return 'it runs by time, not on operations';
  return `it runs on ${plugin.runOn!.join(' and ')} of an OOI${more}`;
}
