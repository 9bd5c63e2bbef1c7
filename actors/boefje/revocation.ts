import type { Result } from '../../src/mailbox/failure.ts';
import type { Plugin, PluginList } from '../../src/kat/kat.ts';
import type { Revocation, RevokedBoefjes } from '../../src/protocol/requests.ts';
import type { Setup } from '../../src/protocol/scheduler.ts';
import type { RefusalReason } from '../../src/tasks/refusal.ts';
import { type Candidate, hashOf } from './candidate.ts';
import { lacksClearance } from './permission.ts';
import { boefjesByType, enabledOf, pluginsOf, type Plugins } from './services.ts';

/**
 * Permissions that end while the lanes of one actor decide. A batch asks Octopoes, Katalogus and Bytes, which takes seconds,
 * and then pushes: it must not push what another lane found to be forbidden meanwhile. So a batch is watched from before it asks until
 * it has pushed. A lane that ends a permission first says so to all watches, then waits for the pushes under way, then
 * revokes. Actors of other supervisors hear nothing of it: docs/queue-semantics.md.
 */
export class Revocations {
  readonly #watches = new Set<Watch>();
  readonly #pushes = new Set<Promise<unknown>>();
  /** The boefjes that this actor's last look found enabled, by organisation. */
  readonly looked = new Map<string, ReadonlySet<string>>();

  async watching<T>(work: (watch: Watch) => Promise<T>): Promise<T> {
    const watch = new Watch(this);
    this.#watches.add(watch);
    try {
      return await work(watch);
    } finally {
      this.#watches.delete(watch);
    }
  }

  /** `scanLevel`: the clearance that the OOI has now, null for none; undefined where it is gone. */
  changed(organisation: string, ooi: string, scanLevel: number | null | undefined): void {
    for (const watch of this.#watches) watch.changed(organisation, ooi, scanLevel);
  }

  /** Boefjes that Katalogus says are enabled now; what is not among them must not be pushed. */
  enabled(organisation: string, boefjes: ReadonlySet<string>): void {
    for (const watch of this.#watches) watch.enabled(organisation, boefjes);
  }

  /** Cancels it in the queue as well, once what this actor is pushing has been committed. */
  async revoke(setup: Setup, revocations: readonly Revocation[]): Promise<void> {
    if (revocations.length === 0) return;
    await this.pushed();
    let more = true;
    while (more) ({ more } = await setup.supervisor('revoke-tasks', { revocations }));
  }

  /** Resolves when the pushes under way have ended, well or not. */
  async pushed(): Promise<void> {
    await Promise.allSettled(this.#pushes);
  }

  /** Call it without a pause after `Watch.refusalOf`: a revocation waits for the push. */
  async pushing<T>(push: Promise<T>): Promise<T> {
    this.#pushes.add(push);
    try {
      return await push;
    } finally {
      this.#pushes.delete(push);
    }
  }
}

/** What ended, or came back, since a batch began. */
export class Watch {
  readonly revocations: Revocations;
  readonly #levels = new Map<string, Map<string, number | null | undefined>>();
  readonly #enabled = new Map<string, ReadonlySet<string>>();

  constructor(revocations: Revocations) {
    this.revocations = revocations;
  }

  changed(organisation: string, ooi: string, scanLevel: number | null | undefined): void {
    const levels = this.#levels.get(organisation);
    if (levels === undefined) this.#levels.set(organisation, new Map([[ooi, scanLevel]]));
    else levels.set(ooi, scanLevel);
  }

  enabled(organisation: string, boefjes: ReadonlySet<string>): void {
    this.#enabled.set(organisation, boefjes);
  }

  /** Whether an event has said anything of the OOI: what Octopoes said before is old. */
  heardOf(organisation: string, ooi: string): boolean {
    return this.#levels.get(organisation)?.has(ooi) ?? false;
  }

  /** Why a candidate that was permitted no longer is; null where nothing has changed for it. */
  refusalOf({ organisation, plugin, ooi }: Candidate): RefusalReason | null {
    if (this.#enabled.get(organisation)?.has(plugin.id) === false) return 'boefje-disabled';
    if (ooi === null || !this.heardOf(organisation, ooi)) return null;
    const scanLevel = this.#levels.get(organisation)!.get(ooi);
    if (scanLevel === undefined) return 'ooi-gone';
    if (scanLevel === null) return 'no-scan-profile';
    return scanLevel < plugin.scanLevel ? 'scan-level-too-low' : null;
  }
}

/** Whether a boefje is off in an organisation, or not there at all. */
export function isLoss(reason: RefusalReason | null): boolean {
  return reason === 'boefje-disabled' || reason === 'boefje-gone' || reason === 'not-a-boefje';
}

/** What a mutation says of an OOI; null where it is gone. */
interface Clearance {
  readonly primaryKey: string;
  readonly ooi: { readonly objectType: string | null; readonly scanLevel: number | null } | null;
}

/** By hash, since a look-up in the queue costs a microsecond: of each OOI the boefjes that need more than it has now. */
export function withdrawn(
  organisation: string,
  changes: readonly Clearance[],
  boefjes: ReturnType<typeof boefjesByType>,
): readonly Revocation[] {
  return changes.flatMap(({ primaryKey, ooi }) => {
    if (ooi === null) return [];
    const about = { primaryKey, objectType: ooi.objectType ?? '', scanLevel: ooi.scanLevel };
    // Without a type nothing tells which boefjes consume it.
    const consumers = ooi.objectType === null ? [...boefjes.values()].flat() : (boefjes.get(ooi.objectType) ?? []);
    return consumers
      .filter((plugin) => lacksClearance(plugin, about))
      .map((plugin) => revokedHash(organisation, plugin, primaryKey));
  });
}

export function revokedHash(organisation: string, plugin: Plugin, ooi: string): Revocation {
  return { hash: hashOf({ organisation, plugin, ooi }), reason: 'scan-level-too-low' };
}

/**
 * Revokes what is queued for boefjes that are no longer enabled. `before`: the boefjes that the last look of any supervisor
 * saved, undefined where there was none. What this actor saw is compared too: another actor may have found the loss first,
 * while this one still pushed by a list that was half a minute old.
 */
export async function revokeLost(
  setup: Setup,
  revocations: Revocations,
  {
    organisation,
    plugins,
    before,
  }: { organisation: string; plugins: PluginList; before: ReadonlySet<string> | undefined },
): Promise<void> {
  if (plugins.size === 0) return;
  const enabled = mayBeEnabled(plugins);
  const looked = revocations.looked.get(organisation) ?? new Set();
  if (before === undefined || !before.isSubsetOf(enabled) || !looked.isSubsetOf(enabled)) {
    revocations.enabled(organisation, enabled);
    await revocations.revoke(setup, [allowedIn(organisation, plugins)!]);
  }
  revocations.looked.set(organisation, enabled);
}

/**
 * By a cached answer of Katalogus the boefjes of these schedules are disabled or gone. Asks for their organisations anew, since
 * a permission is ended only by the state of now, and revokes what is queued for boefjes that are indeed disabled or gone. An
 * organisation that is gone loses nothing: that is for `rota purge`.
 */
export async function confirmLosses(
  setup: Setup,
  revocations: Revocations,
  lost: readonly { readonly organisation: string }[],
): Promise<ReadonlyMap<string, Result<Plugins>>> {
  const organisations = lost.map(({ organisation }) => organisation);
  const answers = await pluginsOf(setup, organisations, { fresh: true });
  const revoked: RevokedBoefjes[] = [];
  for (const [organisation, answer] of answers) {
    const allowed = answer.ok && answer.value !== null ? allowedIn(organisation, answer.value) : null;
    if (allowed === null) continue;
    revocations.enabled(organisation, new Set(allowed.enabled));
    revoked.push(allowed);
  }
  await revocations.revoke(setup, revoked);
  return answers;
}

/** Null for an empty list: KAT ships a hundred plug-ins, so a list of none says nothing about any. */
function allowedIn(organisation: string, plugins: PluginList): RevokedBoefjes | null {
  if (plugins.size === 0) return null;
  const disabled = [...plugins.values()].filter(({ type, enabled }) => type === 'boefje' && !enabled);
  return { organisation, enabled: [...mayBeEnabled(plugins)], disabled: disabled.map(({ id }) => id) };
}

const enabledIds = new WeakMap<PluginList, ReadonlySet<string>>();

/** Of boefjes that are not known to be off; once for each list that is kept. */
function mayBeEnabled(plugins: PluginList): ReadonlySet<string> {
  const known = enabledIds.get(plugins);
  if (known !== undefined) return known;
  const ids = new Set([...enabledOf(plugins).map(({ id }) => id), ...(plugins.unreadable ?? [])]);
  enabledIds.set(plugins, ids);
  return ids;
}
