import { connectNats } from '../../src/nats/connect.ts';
import { type LeanClient, leanClient } from '../harness/lean-client.ts';
import { Backlog } from '../harness/load.ts';
import { type RotaOnStage, setStage, type Stage, startRotaOn } from '../harness/stage.ts';

export type Settings = Readonly<Record<string, string>>;

/** Of both servers, beside their defaults. */
export interface ServerSettings {
  readonly rota: Settings;
  readonly postgres: Settings;
}

/** A Rota that is compared with others. */
export interface Candidate {
  readonly rota: RotaOnStage;
  readonly client: LeanClient;
  readonly backlog: Backlog;
  readonly settings: Settings;
  close(): Promise<void>;
}

const filling = { queued: 100_000, finished: 0 };

/** Rotas with settings of their own; those whose Postgres has its defaults share one. */
export class Candidates {
  readonly #stack: AsyncDisposableStack;
  #shared: Promise<Stage> | null = null;
  #number = 0;

  /** @param stack ends what is still open when the tuning ends. */
  constructor(stack: AsyncDisposableStack) {
    this.#stack = stack;
  }

  async open({ rota: settings, postgres }: ServerSettings): Promise<Candidate> {
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
