import { runEpisode } from './episode.ts';
import type { Fault } from './fault.ts';
import type { Finding } from './findings.ts';
import { openScene, plainScene, type Scene } from './scene.ts';
import { Unable } from './unable.ts';

/** Scenes side by side, each of which takes one fault after the other. */
export class Lanes {
  readonly #waiting: Fault[];
  readonly #stacks = new Set<AsyncDisposableStack>();
  readonly #told: (finding: Finding) => void;
  #stopped = false;

  constructor(faults: readonly Fault[], told: (finding: Finding) => void) {
    // The longest begin first, so that none of them is left alone at the end; those on the shared scene go together.
    this.#waiting = faults.toSorted((a, b) => b.seconds - a.seconds);
    this.#told = told;
  }

  /** Resolves when every fault was played; never after a `stop`. */
  async run(lanes: number): Promise<void> {
    await Promise.all(Array.from({ length: Math.min(lanes, this.#waiting.length) }, () => this.#lane()));
    if (this.#stopped) await new Promise(() => {});
  }

  /** Ends everything that runs. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.allSettled([...this.#stacks].map((stack) => this.#close({ stack })));
  }

  async #lane(): Promise<void> {
    let shared: Scene | null = null;
    for (let fault = this.#waiting.shift(); fault !== undefined && !this.#stopped; fault = this.#waiting.shift()) {
      const began = performance.now();
      const reason = (await fault.unable?.()) ?? null;
      if (reason !== null) {
        this.#told({ fault: fault.name, verdict: 'left out', reason, breaches: [], seconds: 0 });
        continue;
      }
      let scene: Scene | null = null;
      try {
        scene = fault.scene === undefined && shared !== null ? shared : await this.#openScene(fault);
        const { finding, settled } = await runEpisode(scene, fault);
        this.#told(finding);
        if (fault.scene === undefined) shared = settled ? scene : null;
        if (scene !== shared) await this.#close(scene);
      } catch (error) {
        if (scene === shared) shared = null;
        if (scene !== null) await this.#close(scene);
        if (!this.#stopped) this.#told(failed(fault, error, began));
      }
    }
    if (shared !== null) await this.#close(shared);
  }

  async #openScene(fault: Fault): Promise<Scene> {
    const stack = new AsyncDisposableStack();
    this.#stacks.add(stack);
    try {
      return await openScene({ ...plainScene, ...fault.scene }, stack);
    } catch (error) {
      await this.#close({ stack });
      throw error;
    }
  }

  async #close({ stack }: Pick<Scene, 'stack'>): Promise<void> {
    if (this.#stacks.delete(stack)) await stack.disposeAsync();
  }
}

/** A fault that could not be played holds nothing: it counts as broken unless it says why it cannot be here. */
function failed(fault: Fault, error: unknown, began: number): Finding {
  const seconds = Math.round((performance.now() - began) / 1_000);
  const what = error instanceof Error ? error.message : String(error);
  if (error instanceof Unable) return { fault: fault.name, verdict: 'left out', reason: what, breaches: [], seconds };
  const breaches = [{ guarantee: 'back within 5 s' as const, what: `the drill itself failed: ${what}` }];
  return { fault: fault.name, verdict: 'broke', breaches, seconds };
}
