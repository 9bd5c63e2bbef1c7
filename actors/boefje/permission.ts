import type { Ooi, Plugin } from '../../src/kat/kat.ts';
import type { RefusalReason } from '../../src/tasks/refusal.ts';

/**
 * Why a boefje may not run on an OOI, or null where it may. Scan levels go from 0 to 4: the OOI's is the clearance it
 * has, the boefje's the intensity it needs. A task without an OOI needs no clearance.
 */
export function refusalOf(plugin: Plugin, ooi: Ooi | null): RefusalReason | null {
  if (plugin.type !== 'boefje') return 'not-a-boefje';
  if (!plugin.enabled) return 'boefje-disabled';
  if (ooi === null) return null;
  if (!plugin.consumes.includes(ooi.objectType)) return 'not-consumed';
  if (ooi.scanLevel === null) return 'no-scan-profile';
  if (ooi.scanLevel < plugin.scanLevel) return 'scan-level-too-low';
  return null;
}

/** Whether a boefje runs on operations instead of on a schedule. An empty list is none, as in mula. */
export function isRunOn(plugin: Plugin): boolean {
  return plugin.runOn !== null && plugin.runOn.length > 0;
}

export function runsOnAny(plugin: Plugin, operations: ReadonlySet<'create' | 'update'>): boolean {
  return plugin.runOn?.some((operation) => operations.has(operation)) ?? false;
}
