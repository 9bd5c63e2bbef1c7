import { setTimeout as delay } from 'node:timers/promises';
import { type Command, Option } from 'commander';
import { within } from '../../deadline.ts';
import { codeOf } from '../../errors.ts';
import type { OperatorClient } from '../../control/overview.ts';
import { type Parts, partsOf } from '../../control/parts.ts';
import { situationOf } from '../../control/findings.ts';
import { failureOf } from '../../mailbox/failure.ts';
import type { RotaClient } from '../../nats/client.ts';
import type { QueuePart } from '../../tasks/task.ts';
import { wholeNumber } from '../arguments.ts';
import { renderOverview } from '../overview.ts';
import { remoteCommand, type RemoteOptions, watchingOperators, withRota } from '../remote.ts';
import { type FullScreen, fullScreenOn, onKeys, write, writeJson } from '../terminal.ts';
import { explainPart } from './explain.ts';
import { linesOf } from './lines.ts';
import { type Figures, partOf, type View } from './rows.ts';
import { type Change, firstState, type Key, pressed, type TopState, type Wish } from './state.ts';

interface TopOptions extends RemoteOptions {
  readonly interval: number;
  readonly frames?: number;
  readonly color: boolean;
}

/** `rota top`: what goes on, live, with keys on a terminal; frames for a program in a pipe. */
export function topCommand(): Command {
  return remoteCommand('top', 'what goes on, live; ? shows its keys', 'rota top --interval 1')
    .addOption(new Option('--interval <seconds>', 'between looks').default(2).argParser(wholeNumber(1, 86_400)))
    .addOption(new Option('--frames <n>', 'end after so many').argParser(wholeNumber(1, 86_400)))
    .option('--no-color', 'none, as NO_COLOR says it too')
    .action(async (options: TopOptions) => {
      const ending = new AbortController();
      const end = () => ending.abort();
      process.once('SIGINT', end).once('SIGTERM', end).once('SIGHUP', end);
      await withRota(
        options,
        (client) =>
          (options.json === true ? null : onScreen(client, options, ending)) ?? inPipe(client, options, ending.signal),
      );
    });
}

/** The rest of the screen does not wait longer for what is queued. */
const partsWithinMs = 3_000;

/** A program reads a pipe, or a person does later: one frame unless --frames asks for more. */
async function inPipe(client: RotaClient, { frames = 1, interval, json }: TopOptions, signal: AbortSignal) {
  const watched = watchingOperators(client);
  for (let frame = 0; frame < frames && !signal.aborted; frame += 1) {
    const { overview, findings } = await situationOf(watched, await watched.instances());
    if (json === true) writeJson({ ...overview, findings });
    else write(`${renderOverview(overview, null, findings)}\n`);
    if (frame + 1 < frames) await delay(interval * 1_000, undefined, { signal }).catch(() => {});
  }
}

/** Null without a terminal. */
function onScreen(client: RotaClient, options: TopOptions, ending: AbortController): Promise<void> | null {
  let top: Top | null = null;
  const screen = fullScreenOn({ colour: options.color, onResize: () => top?.draw() });
  if (screen === null) return null;
  top = new Top({ client, screen, ending, ...options });
  const shown = top.run().finally(() => screen.close());
  // With a number of frames the last one stays on the terminal.
  return options.frames === undefined ? shown : shown.then(() => write(`${top.text()}\n`));
}

interface TopParts extends Pick<TopOptions, 'interval' | 'frames'> {
  readonly client: RotaClient;
  readonly screen: FullScreen;
  readonly ending: AbortController;
}

/** Looks again and again, takes keys, and draws what both lead to. */
class Top {
  readonly #parts: TopParts;
  readonly #operators: OperatorClient;
  #state: TopState = firstState;
  /** Ends the wait between two looks. */
  #wait = new AbortController();
  #stopKeys: (() => void) | null = null;

  constructor(parts: TopParts) {
    this.#parts = parts;
    this.#operators = watchingOperators(parts.client);
  }

  /** Until a key or a signal ends it. @throws what the first look throws: there is nothing to show */
  async run(): Promise<void> {
    const { ending, frames = Number.POSITIVE_INFINITY, interval } = this.#parts;
    const resume = () => this.#resume();
    process.on('SIGCONT', resume);
    const ended = new Promise<void>((resolve) => {
      const end = () => {
        this.#wait.abort();
        resolve();
      };
      ending.signal.addEventListener('abort', end, { once: true });
    });
    this.#listen();
    // Ages go on between looks.
    const clock = setInterval(() => this.draw(), 1_000);
    try {
      this.draw();
      for (let look = 0; look < frames && !ending.signal.aborted; look += 1) {
        this.#wait = new AbortController();
        await Promise.race([this.#look(), ended]);
        this.draw();
        if (look + 1 < frames && !ending.signal.aborted)
          await delay(interval * 1_000, undefined, { signal: this.#wait.signal }).catch(() => {});
      }
    } finally {
      clearInterval(clock);
      process.off('SIGCONT', resume);
      this.#stopKeys?.();
    }
  }

  draw(): void {
    this.#parts.screen.show(this.#lines());
  }

  text(): string {
    const lines = this.#lines().map(({ text }) => text);
    return lines.join('\n').trimEnd();
  }

  #lines(): ReturnType<typeof linesOf> {
    const { screen, interval } = this.#parts;
    const sinceLook = performance.now() - this.#state.lookedAt;
    // A look takes a moment, or a second where supervisors are searched for.
    return linesOf(this.#state, screen.size, { date: new Date(), sinceLook, staleMs: interval * 1_000 + 3_000 });
  }

  async #look(): Promise<void> {
    const { view } = this.#state;
    try {
      const figures = await this.#figures(view);
      // Of a view that was left meanwhile no row would match.
      if (this.#state.view === view) this.#become({ figures, lookedAt: performance.now(), failure: null });
      else this.#wait.abort();
    } catch (error) {
      if (this.#state.figures === null || codeOf(error) === 'BROKEN') throw error;
      this.#become({ failure: failureOf(error).message });
    }
  }

  async #figures(view: View): Promise<Figures> {
    const by = partOf[view];
    const instances = await this.#operators.instances();
    const [{ overview, pauses, findings }, parts] = await Promise.all([
      situationOf(this.#operators, instances),
      by === null ? null : this.#partsBy(instances, by),
    ]);
    return { overview, pauses, findings, parts };
  }

  /** The schedulers stand where these fail: without a database no supervisor knows them. */
  async #partsBy(instances: readonly string[], by: QueuePart): Promise<Figures['parts']> {
    const asked = partsOf(this.#operators, instances, { scheduler: undefined, by });
    return within(asked, partsWithinMs, 'DATABASE_UNAVAILABLE').then(
      (parts: Parts) => ({ by, failure: null, ...parts }),
      (error: unknown) => ({ by, failure: failureOf(error).message, results: [], unanswered: [] }),
    );
  }

  #become(change: Partial<TopState>): void {
    this.#state = { ...this.#state, ...change };
  }

  #listen(): void {
    this.#stopKeys = onKeys((key) => this.#press(key));
  }

  #press(key: Key): void {
    const { state, wish } = pressed(this.#state, key);
    this.#state = state;
    this.draw();
    if (wish !== undefined) void this.#fulfil(wish);
  }

  async #fulfil(wish: Wish): Promise<void> {
    switch (wish.kind) {
      case 'quit':
        return this.#parts.ending.abort();
      case 'suspend':
        return this.#suspend();
      case 'look':
        return this.#wait.abort();
      case 'explain':
        return this.#explain(wish.row);
      case 'change':
        return this.#change(wish.change);
    }
  }

  async #explain(row: Extract<Wish, { readonly kind: 'explain' }>['row']): Promise<void> {
    const { figures } = this.#state;
    if (figures === null || row.kind === 'problem' || row.kind === 'scheduler') return;
    const detail = await explainPart(this.#operators, row.kind, row.part, figures.pauses).catch((error: unknown) => {
      return { title: row.part.name, lines: [`It cannot be told: ${failureOf(error).message}`] };
    });
    // Unless it was closed meanwhile.
    if (this.#state.mode === 'detail') this.#become({ detail });
    this.draw();
  }

  async #change({ command, of }: Change): Promise<void> {
    const message = await this.#changed(command, of).catch((error: unknown) => failureOf(error).message);
    this.#become({ message });
    this.#wait.abort();
    this.draw();
  }

  async #changed(command: Change['command'], of: Change['of']): Promise<string> {
    if (command === 'resume') {
      const { released, complete } = await this.#operators.ask('resume', of);
      return `resumed; ${released} tasks may be popped again${complete ? '' : ' so far; the rest follows by itself'}`;
    }
    let count = 0;
    while (!this.#parts.ending.signal.aborted) {
      const { held, complete } = await this.#operators.ask('pause', of);
      count += held;
      if (complete) break;
      this.#become({ message: `pausing: ${count} held so far` });
      this.draw();
    }
    return `paused; ${count} queued tasks are held`;
  }

  #suspend(): void {
    this.#stopKeys?.();
    this.#stopKeys = null;
    this.#parts.screen.pause();
    process.kill(process.pid, 'SIGTSTP');
    // Where no shell would continue it, the signal is dropped.
    setTimeout(() => this.#resume(), 100).unref();
  }

  /** From Ctrl-Z, or a stop from elsewhere, after which the shell has set the terminal as it likes. */
  #resume(): void {
    this.#stopKeys?.();
    this.#parts.screen.pause();
    this.#parts.screen.resume();
    this.#listen();
    this.draw();
  }
}
