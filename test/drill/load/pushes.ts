import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { NatsConnection } from 'nats';
import { boefjeRun, rawFileReceived } from '../../../src/simulator/events.ts';
import type { Answer, Answers } from '../answers.ts';
import type { Ledger } from '../ledger.ts';
import type { Supervisor } from '../supervisor.ts';
import { askNats, askRest } from '../wire.ts';

const repeatAfterMs = 3_000;
/** This connection has as much in flight as one client may, the flood's pushes above all: again, as after 503. */
const busy = 429;
/** Tasks for the runners that wait in the queue from the start: their pops then measure the pop, not the push. */
const reserve = 300;

interface PushOptions {
  readonly nats: NatsConnection;
  readonly supervisors: readonly Supervisor[];
  readonly answers: Answers;
  readonly ledger: Ledger;
  readonly organisation: string;
  /** A second, over NATS; one a second goes to each REST API beside them. */
  readonly perSecond: number;
}

/** Pushes at a steady rate, whatever becomes of those before. */
export class Pushes {
  readonly #options: PushOptions;
  readonly #timers: readonly NodeJS.Timeout[];
  readonly #stopped = new AbortController();
  #made = 0;

  constructor(options: PushOptions) {
    this.#options = options;
    this.#timers = [
      setInterval(() => void this.#overNats(), 1_000 / options.perSecond),
      ...options.supervisors.map((supervisor) => setInterval(() => void this.#overRest(supervisor), 1_000)),
    ];
  }

  /** Ends the repeats too. */
  stop(): void {
    this.pause();
    this.#stopped.abort();
  }

  /** No new ones. */
  pause(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  /** Queues what the runners pop. @throws where it is not accepted. */
  async stock(): Promise<void> {
    const { nats, answers, ledger, organisation } = this.#options;
    const push = () => {
      const tasks = Array.from({ length: reserve }, () => normalizerTask(organisation));
      return askNats(nats, answers, { kind: 'push', scheduler: 'normalizer', body: { tasks } });
    };
    // The first request of a machine that is busy with everything that starts may take its time.
    const answer = await push().then((first) => (first.outcome === 'ok' ? first : push()));
    if (answer.outcome !== 'ok') throw new Error(`the reserve is not accepted: ${answer.detail}`);
    for (const { id } of (answer.body as { results: { id?: string }[] }).results)
      if (id !== undefined) ledger.accept(id);
  }

  /** With an id, in its data too: what is pushed again is the same task. */
  boefjeTask() {
    const { organisation } = this.#options;
    this.#made += 1;
    const id = randomUUID();
    const ooi = `Hostname|internet|${this.#made}.nl`;
    return {
      id,
      organisation,
      priority: 10,
      data: { id, boefje: { id: 'dns' }, input_ooi: ooi, organization: organisation },
    };
  }

  async #overNats(): Promise<void> {
    const { nats, answers, ledger } = this.#options;
    const body = this.boefjeTask();
    for (let tries = 1; !this.#stopped.signal.aborted; tries += 1) {
      const asked = askNats(nats, answers, { kind: 'push', scheduler: 'boefje', body });
      const answer: Answer | null = await Promise.race([asked, this.#sleep(repeatAfterMs)]);
      // An answer that comes after its repeat was sent counts as well.
      if (answer === null) void asked.then((late) => late.outcome === 'ok' && ledger.accept(body.id));
      if (answer?.outcome === 'ok') return ledger.accept(body.id);
      // Asked once and refused: not done. Asked before without an answer: it may be.
      if (answer?.outcome === 'refused' && answer.status < 500 && answer.status !== busy) {
        return tries === 1 ? ledger.refuse(body.id) : ledger.refusePushedAgain(body.id);
      }
      if (answer !== null) await this.#sleep(500);
    }
  }

  /** Not repeated: mula answers 409 to a hash that is queued, and so does Rota over REST. */
  async #overRest({ number: to, api }: Supervisor): Promise<void> {
    const url = `${api}/schedulers/boefje/push`;
    const answer = await askRest(this.#options.answers, { kind: 'push', to, url, body: this.boefjeTask() });
    if (answer.outcome === 'ok') this.#options.ledger.accept((answer.body as { id: string }).id);
  }

  async #sleep(ms: number): Promise<null> {
    return delay(ms, null, { signal: this.#stopped.signal }).catch(() => null);
  }
}

function normalizerTask(organisation: string) {
  const run = boefjeRun({ boefje: 'dns', inputOoi: 'Hostname|internet|example.com', organisation, tookMs: 10 });
  const { raw_data } = rawFileReceived(randomUUID(), run, ['boefje/dns']);
  return { organisation, priority: 10, data: { normalizer: { id: 'dns' }, raw_data } };
}
