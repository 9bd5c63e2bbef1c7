import { connectNats } from '../../src/nats/connect.ts';
import { Backlog } from '../harness/backlog.ts';
import { leanClient } from '../harness/lean-client.ts';
import { setStage, type Stage, startRotaOn } from '../harness/stage.ts';
import type { Settings } from './knobs.ts';
import type { Subject } from './workloads.ts';

export interface Setup {
  readonly rota: Settings;
  readonly postgres: Settings;
}

export interface OpenSubject extends Subject {
  close(): Promise<void>;
}

const filling = { queued: 100_000, finished: 0 };

/** Rotas with settings of their own; those whose Postgres has its defaults share one. */
export class Subjects {
  readonly #stack: AsyncDisposableStack;
  #shared: Promise<Stage> | null = null;
  #number = 0;

  /** @param stack ends what is still open when the tuning ends. */
  constructor(stack: AsyncDisposableStack) {
    this.#stack = stack;
  }

  async open({ rota: settings, postgres }: Setup): Promise<OpenSubject> {
    const own = Object.keys(postgres).length > 0;
    const stage = await (own ? this.#stage(postgres) : (this.#shared ??= this.#stage({})));
    this.#number += 1;
    const rota = await startRotaOn(stage, `tune_${this.#number}`, { settings, filling });
    const connection = await connectNats({ servers: rota.natsUrl });
    return {
      rota,
      settings,
      client: leanClient(connection),
      backlog: new Backlog(rota.sql, filling.queued, 0.4),
      close: async () => {
        await connection.close();
        await rota.stop();
        if (own) await stage.close();
      },
    };
  }

  async #stage(settings: Settings): Promise<Stage> {
    const stage = await setStage({ settings });
    this.#stack.defer(() => stage.close());
    return stage;
  }
}
