import { Session } from 'node:inspector/promises';
import { fileURLToPath } from 'node:url';

const root = new URL('../../', import.meta.url).href;
/**
 * The doubles of KAT in this process, and the observers: neither is on the path of their answers or events. Nor is the composition
 * root, whose closures hand one part to another.
 */
const besideTheWay = /^src\/(?:(?:simulator|telemetry|observation)\/|main\.ts$)/;
const runs = 12;
const withCounts = { callCount: true, detailed: false };

interface Coverage {
  readonly result: readonly {
    readonly url: string;
    readonly functions: readonly {
      readonly ranges: readonly { readonly startOffset: number; readonly count: number }[];
    }[];
  }[];
}

/**
 * Records which files of src and actors run code, by V8's own call counts, in this process and in all its worker threads. An
 * import alone passes no file: its outermost scope does not count.
 */
export class PassedFiles {
  readonly #session = new Session();
  readonly #workers = new Set<string>();
  readonly #asked = new Map<number, (coverage: Coverage) => void>();
  #ids = 0;

  async start(): Promise<void> {
    this.#session.connect();
    this.#session.on('NodeWorker.attachedToWorker', ({ params }) => this.#attach(params.sessionId));
    this.#session.on('NodeWorker.detachedFromWorker', ({ params }) => this.#workers.delete(params.sessionId));
    this.#session.on('NodeWorker.receivedMessageFromWorker', ({ params }) => {
      const { id, result } = JSON.parse(params.message) as { id: number; result: Coverage };
      this.#asked.get(id)?.(result);
      this.#asked.delete(id);
    });
    await this.#session.post('Profiler.enable');
    await this.#session.post('Profiler.startPreciseCoverage', withCounts);
    await this.#session.post('NodeWorker.enable', { waitForDebuggerOnStart: false });
  }

  /** The files that run code in each of twelve runs of `work`, after a first one: a timer's do not run each time. */
  async during(work: () => Promise<unknown>): Promise<readonly string[]> {
    await work();
    await this.#take();
    let passed: ReadonlySet<string> | null = null;
    for (let run = 0; run < runs; run += 1) {
      await work();
      const taken = await this.#take();
      passed = passed === null ? taken : taken.intersection(passed);
    }
    return [...passed!].toSorted();
  }

  stop(): void {
    this.#session.disconnect();
  }

  /** Taking the counts sets them to zero. */
  async #take(): Promise<ReadonlySet<string>> {
    const own = this.#session.post('Profiler.takePreciseCoverage') as Promise<Coverage>;
    const others = [...this.#workers].map((worker) => this.#send(worker, 'Profiler.takePreciseCoverage'));
    return new Set((await Promise.all([own, ...others])).flatMap(filesOf));
  }

  #attach(worker: string): void {
    this.#workers.add(worker);
    void this.#send(worker, 'Profiler.enable');
    void this.#send(worker, 'Profiler.startPreciseCoverage', withCounts);
  }

  #send(sessionId: string, method: string, params: object = {}): Promise<Coverage> {
    this.#ids += 1;
    const message = JSON.stringify({ id: this.#ids, method, params });
    const answered = new Promise<Coverage>((resolve) => this.#asked.set(this.#ids, resolve));
    void this.#session.post('NodeWorker.sendMessageToWorker', { sessionId, message });
    return answered;
  }
}

function filesOf({ result }: Coverage): readonly string[] {
  return result
    .filter(({ url }) => url.startsWith(root))
    .filter(({ functions }) => functions.some(({ ranges: [range] }) => range!.count > 0 && range!.startOffset > 0))
    .map(({ url }) => fileURLToPath(url).slice(fileURLToPath(root).length))
    .filter((path) => /^(?:src|actors)\//.test(path) && !besideTheWay.test(path));
}
