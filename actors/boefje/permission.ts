import type { Ooi, Plugin } from '../../src/kat/kat.ts';
import type { RefusalReason } from '../../src/tasks/refusal.ts';
import { cronOf, intervalMsOf } from './recurrence.ts';

/** One thing that must hold; each rule may rely on those before it. */
export interface PermissionRule<About extends readonly unknown[]> {
  readonly rule: string;
  readonly reason: RefusalReason;
  readonly refuses: (...about: About) => boolean;
  /** What it decides by, for `rota explain`. */
  readonly fact: (...about: About) => string;
}

export const boefjeRules: readonly PermissionRule<[plugin: Plugin]>[] = [
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

/** Scan levels go from 0 to 4: the OOI's is the clearance it has, the boefje's the intensity it needs. */
export const ooiRules: readonly PermissionRule<[plugin: Plugin, ooi: Ooi]>[] = [
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

/** Why a boefje may not run on an OOI, or null where it may. A task without an OOI needs no clearance. */
export function refusalOf(plugin: Plugin, ooi: Ooi | null): RefusalReason | null {
  const refusing =
    boefjeRules.find((rule) => rule.refuses(plugin)) ??
    (ooi === null ? undefined : ooiRules.find((rule) => rule.refuses(plugin, ooi)));
  return refusing?.reason ?? null;
}

/** Whether a boefje names the operations that it runs on. An empty list is none, as in mula. */
export function isRunOn(plugin: Plugin): boolean {
  return plugin.runOn !== null && plugin.runOn.length > 0;
}

/** It has no schedule. With a cron or an interval a boefje runs on its operations and by its recurrence. */
export function runsOnEventsOnly(plugin: Plugin): boolean {
  return isRunOn(plugin) && cronOf(plugin) === null && intervalMsOf(plugin) === null;
}

export function runsOnAny(plugin: Plugin, operations: ReadonlySet<'create' | 'update'>): boolean {
  return plugin.runOn?.some((operation) => operations.has(operation)) ?? false;
}
