import { type Executor, query, type Sql, statement, transact, transaction } from '../../postgres/pool.ts';
import { Releaser, lockLimits } from './releaser.ts';
import { type Limit, type LimitsView, readLimits } from './view.ts';

/** What an operator sets. */
export type NewLimit = Omit<Limit, 'version' | 'changedAt' | 'isApplying' | 'removed' | 'admitted' | 'fallbacks'>;

interface LimitsOptions {
  readonly sql: Sql;
  readonly schedulerIds: readonly string[];
  /** So many tasks of a scheduler may be popped now. */
  onAdmitted(scheduler: string, count: number): void;
  onError(error: unknown): void;
}

/** Limits and windows of all supervisors: they are in the database, and every supervisor keeps them. */
export class Limits {
  readonly #sql: Sql;
  readonly releaser: Releaser;

  constructor(options: LimitsOptions) {
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

  /** A name that is there already gets what is given now. @returns whether there was none */
  async set(limit: NewLimit): Promise<boolean> {
    const { name, kind, scheduler, organisation, plugin, image, template, burst, concurrency, hours, note } = limit;
    const columns = {
      ...{ name, kind, scheduler, organisation, plugin, image, template, burst, concurrency, hours, note },
      ...{
        ooi_type: limit.ooiType,
        spacing_ms: limit.spacingMs,
        exempt_manual: limit.exemptManual,
        set_by: limit.setBy,
      },
    };
    const [row] = await this.#change(name, (changing) =>
      query<{ is_new: boolean }>(changing, statement('limits/set'), [JSON.stringify(columns)]),
    );
    return row!.is_new;
  }

  /** @returns whether there was one */
  async unset(name: string, kind: Limit['kind']): Promise<boolean> {
    const rows = await this.#change(name, (changing) => query(changing, statement('limits/unset'), [name, kind]));
    return rows.length > 0;
  }

  async #change<T>(name: string, change: (changing: Executor) => Promise<T>): Promise<T> {
    const changed = await transact(() =>
      transaction(this.#sql, async (changing) => {
        await lockLimits(changing);
        const answer = await change(changing);
        await query(changing, statement('limits/touch'), [name]);
        return answer;
      }),
    );
    this.releaser.changed();
    return changed;
  }
}
