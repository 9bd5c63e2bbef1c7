import { type Executor, query, queryByKey, type Sql, statement, transact } from '../../postgres/pool.ts';
import type { DefaultLimit } from '../../protocol/limits.ts';
import { concerns, keyOf, type LimitedTask, type LimitKey, nameOfGroup, templateOfGroup } from './limit.ts';
import { Releaser, type ReleaserOptions } from './releaser.ts';
import { revisit } from './apply.ts';
import { changing, type HeldByLimit, type Limit, type LimitsView, readHeld, readLimits } from './view.ts';

/** What an operator sets. */
export type NewLimit = Omit<
  Limit,
  'version' | 'changedAt' | 'isApplying' | 'isRevisited' | 'removed' | 'admitted' | 'waited' | 'fallbacks'
>;

/** Where a task stands, or would, at one of its limits. */
export interface LimitPlace extends LimitKey {
  readonly limit: Limit;
  readonly before: number;
  /** Units that are admitted or claimed. */
  readonly taken: number;
  /** From when on its rate has room again, in epoch milliseconds; null: it has some. */
  readonly readyMs: number | null;
}

/** Rows before a task that are counted at most. */
const countedAtMost = 100_000;

/** Limits and windows of all supervisors: they are in the database, and every supervisor keeps them. */
export class Limits {
  readonly #sql: Sql;
  readonly releaser: Releaser;

  constructor(options: ReleaserOptions) {
    this.#sql = options.sql;
    this.releaser = new Releaser(options);
  }

  start(): void {
    this.releaser.start();
  }

  async stop(): Promise<void> {
    await this.releaser.stop();
  }

  /** Something was queued, claimed or ended. */
  wake(): void {
    this.releaser.wake();
  }

  /** Those that hold. */
  async list(): Promise<LimitsView> {
    const { limits, now } = await transact(() => readLimits(this.#sql));
    return { limits: limits.filter(({ removed }) => !removed), now };
  }

  /** Of each of these, in their order. */
  async held(names: readonly string[], most: number): Promise<readonly HeldByLimit[]> {
    return readHeld(this.#sql, names, most);
  }

  /** The limits that concern a task; `id` where it is queued. */
  async places(task: LimitedTask, id: string | null): Promise<readonly LimitPlace[]> {
    const { limits } = await this.list();
    const found = limits.filter((limit) => concerns(limit, task)).map((limit) => ({ limit, ...keyOf(limit, task) }));
    if (found.length === 0) return [];
    const rows = await queryByKey<{ before: number; taken: number; ready_ms: number | null }>(
      this.#sql,
      statement('limits/places'),
      [found.map(({ key }) => key), countedAtMost, id],
    );
    return found.map((at, n) => {
      const { before, taken, ready_ms: readyMs } = rows[n]!;
      return { ...at, before, taken, readyMs };
    });
  }

  /** A name that is there already gets what is given now. @returns whether there was none */
  async set(limit: NewLimit): Promise<boolean> {
    const { name, kind, scheduler, organisation, plugin, image, template, burst, concurrency, hours, note } = limit;
    const columns = {
      name,
      kind,
      scheduler,
      organisation,
      plugin,
      image,
      template,
      burst,
      concurrency,
      hours,
      note,
      ooi_type: limit.ooiType,
      spacing_ms: limit.spacingMs,
      exempt_manual: limit.exemptManual,
      set_by: limit.setBy,
      by_katalogus: false,
    };
    return this.#change(name, async (locked) => {
      const [row] = await query<{ is_new: boolean }>(locked, statement('limits/set'), [JSON.stringify([columns])]);
      return row!.is_new;
    });
  }

  /** @returns whether there was one */
  async unset(name: string, kind: Limit['kind']): Promise<boolean> {
    const rows = await this.#change(name, (locked) => query(locked, statement('limits/unset'), [name, kind]));
    return rows.length > 0;
  }

  async #change<T>(name: string, change: (changing: Executor) => Promise<T>): Promise<T> {
    const changed = await changing(this.#sql, async (locked) => {
      const answer = await change(locked);
      await revisit(locked, name);
      return answer;
    });
    this.releaser.changed();
    return changed;
  }
}

/** What Katalogus gives; a limit that an operator set or ended stays as it is. A change holds from the releaser's next look on. */
export async function setDefaultLimits(sql: Sql, scheduler: string, limits: readonly DefaultLimit[]): Promise<void> {
  const columns = limits.map(({ group, seconds, boefjes }) => ({
    name: nameOfGroup(group),
    kind: 'limit',
    scheduler,
    plugin: boefjes.join(','),
    template: templateOfGroup(group),
    spacing_ms: seconds * 1_000,
    burst: 1,
    exempt_manual: false,
    set_by: 'katalogus',
    by_katalogus: true,
  }));
  await changing(sql, async (locked) => {
    await query(locked, statement('limits/set'), [JSON.stringify(columns)]);
    await query(locked, statement('limits/drop-defaults'), [columns.map(({ name }) => name), scheduler]);
  });
}
