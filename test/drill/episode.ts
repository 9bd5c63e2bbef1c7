import { setTimeout as delay } from 'node:timers/promises';
import { audit, isSettled, tasksOf } from './audit.ts';
import type { Drill, Fault } from './fault.ts';
import { breachesOf, type Evidence, figuresOf, type Finding } from './findings.ts';
import type { Breach } from './guarantees.ts';
import { type Load, plainLoad, startLoad } from './load/load.ts';
import type { Scene } from './scene.ts';

const warmMs = 3_000;
/** Beyond the 5 s that are promised, so that what comes back late is seen. */
const watchMs = 9_000;
const settleMs = 35_000;

/**
 * Runs one fault under load, lets everything settle, and holds what was seen against what is promised.
 *
 * @returns `settled`: nothing is left behind that would disturb the next fault.
 */
export async function runEpisode(scene: Scene, fault: Fault): Promise<{ finding: Finding; settled: boolean }> {
  const started = performance.now();
  for (const supervisor of scene.supervisors) supervisor.readLog();
  const load = await startLoad(scene, { ...plainLoad, ...fault.load });
  const deadBefore = await load.events.dead();
  const memory = watchMemory(scene);
  try {
    await warm(load, scene);
    const restMib = memory.most();
    const drill = new Episode(scene, load);
    await fault.run(drill);
    await drill.watch();
    load.pushes.pause();
    load.events.pause();
    const settled = await settle(scene, load);
    const { published } = load.events;
    const evidence: Evidence = {
      fault,
      supervisors: scene.supervisors.length,
      began: drill.began,
      over: drill.overAt!,
      asked: load.answers.all().filter(({ endedAt }) => endedAt >= drill.began),
      counts: load.ledger.counts(),
      audit: await audit(scene.postgres, load),
      published,
      madeAt: await tasksOf(scene.postgres, published),
      dead: (await load.events.dead()) - deadBefore,
      restMib,
      mostMib: memory.most(),
      log: scene.supervisors.flatMap((supervisor) => supervisor.readLog()),
    };
    const figures = figuresOf(evidence);
    const breaches = [...drill.breaches, ...breachesOf(evidence, figures)];
    const seconds = Math.round((performance.now() - started) / 1_000);
    const verdict = breaches.length === 0 ? 'held' : 'broke';
    return { finding: { fault: fault.name, verdict, figures, breaches, seconds }, settled };
  } finally {
    memory.stop();
    await load.stop();
  }
}

class Episode implements Drill {
  readonly scene: Scene;
  readonly load: Load;
  readonly breaches: Breach[] = [];
  readonly began = Date.now();
  overAt: number | null = null;
  #watched = false;

  constructor(scene: Scene, load: Load) {
    this.scene = scene;
    this.load = load;
  }

  // Fields, since faults take them apart.
  readonly over = (): void => {
    this.overAt ??= Date.now();
  };

  readonly watch = async (): Promise<void> => {
    this.over();
    if (!this.#watched) await delay(watchMs);
    this.#watched = true;
  };

  readonly broke = (guarantee: Breach['guarantee'], what: string): void => {
    this.breaches.push({ guarantee, what });
  };
}

/** Until every supervisor has answered a pop and an event has become a task: a fault on what does not run says nothing. */
async function warm(load: Load, scene: Scene): Promise<void> {
  await delay(warmMs);
  const deadline = performance.now() + 60_000;
  const popped = () =>
    scene.supervisors.every(({ number }) =>
      load.answers.all().some(({ kind, to, answer }) => kind === 'pop' && to === number && answer.outcome === 'ok'),
    );
  const flowing = async () => (await tasksOf(scene.postgres, load.events.published)).size > 0;
  while (!(popped() && (await flowing()))) {
    if (performance.now() > deadline) throw new Error('the load does not run before the fault');
    await delay(200);
  }
}

/** What has not come by then is missing. */
async function settle(scene: Scene, load: Load): Promise<boolean> {
  const deadline = performance.now() + settleMs;
  const ready = async () => (await Promise.all(scene.supervisors.map((one) => one.isReady()))).every(Boolean);
  while (performance.now() < deadline) {
    if ((await isSettled(scene.postgres, load).catch(() => false)) && (await ready())) return true;
    await delay(250);
  }
  return false;
}

/** The largest resident memory of any supervisor so far. */
function watchMemory(scene: Scene): { most(): number; stop(): void } {
  let most = 0;
  const timer = setInterval(() => {
    most = Math.max(most, ...scene.supervisors.map((supervisor) => supervisor.memory()));
  }, 250);
  return { most: () => most, stop: () => clearInterval(timer) };
}
