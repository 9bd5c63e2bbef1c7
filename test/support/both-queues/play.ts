import { isDeepStrictEqual } from 'node:util';
import createdAt from '../../../actors/rankers/created-at.ts';
import fairShare from '../../../actors/rankers/fair-share.ts';
import type { TaskRanking } from '../../../src/queue/push/rank.ts';
import { batchOf } from '../../../src/ranking/batch.ts';
import { seeded } from '../../../src/simulator/random.ts';
import { seededChance } from '../../../src/simulator/virtual/seeded-chance.ts';
import type { SetLimit } from '../../../src/control/limit-bodies.ts';
import { replaceTimeAndChance, time } from '../../../src/time-and-chance.ts';
import type { Command } from './command.ts';
import { MemorySide } from './memory-side.ts';
import { Player } from './player.ts';
import type { Said } from './side.ts';
import { Statements } from './statement-side.ts';

/** 2026-03-23, a Monday, at eight in the evening: a window of the night opens soon. */
const began = Date.UTC(2026, 2, 23, 20);
const settings = { gracePeriodSeconds: 86_400, jitterSeconds: 18_000 };
/** After each command: virtual times are stored, the releaser has looked, and no two commands have one time. */
const betweenMs = 300;
/** No run lasts as long: a monotonic clock goes on where the next one begins at the same time again. */
const longestRunMs = 1_000 * 86_400_000;

export interface Scenario {
  readonly policy: 'fair-share' | 'created-at';
  readonly limits: readonly SetLimit[];
  readonly commands: readonly Command[];
}

/** What the queue in memory and the statements say where they differ. */
export interface Difference {
  readonly after: readonly Command[];
  readonly inMemory: Said;
  readonly byStatements: Said;
}

/** Plays scenarios on the queue in memory and on Postgres, in this thread's virtual time. */
export class BothQueues {
  readonly #statements: Statements;
  readonly #clock: Clock;
  readonly #ranking: TaskRanking;
  readonly #restore: () => void;

  private constructor(statements: Statements, parts: BothParts) {
    this.#statements = statements;
    this.#clock = parts.clock;
    this.#ranking = parts.ranking;
    this.#restore = parts.restore;
  }

  static async open(): Promise<BothQueues> {
    const clock: Clock = { now: began, runs: 0 };
    const rankers = { fair: fairShare, arrival: createdAt };
    const rankerOf = (scheduler: string) => scheduler.split('-', 1)[0] as keyof typeof rankers;
    const ranking: TaskRanking = {
      policyOf: (scheduler) => {
        const fair = rankerOf(scheduler) === 'fair';
        return { fair, manualOnly: fair };
      },
      rank: async (scheduler, tasks) =>
        rankers[rankerOf(scheduler)](
          batchOf(tasks, { now: clock.now, gracePeriodSeconds: settings.gracePeriodSeconds }),
        ),
    };
    const restore = replaceTimeAndChance({
      time: { ...time, wallMs: () => clock.now, monotonicMs: () => clock.now - began + clock.runs * longestRunMs },
      // The same jitter on both sides; ids sort as they are made.
      chance: { ...seededChance(seeded(1), () => clock.now), random: () => 0.25 },
    });
    return new BothQueues(await Statements.open(ranking, settings), { clock, ranking, restore });
  }

  async close(): Promise<void> {
    await this.#statements.close();
    this.#restore();
  }

  /** @returns where the two differ first; null where they never do */
  async play({ policy, limits, commands }: Scenario): Promise<Difference | null> {
    const run = await this.#begin(policy, limits);
    for (const [at, command] of commands.entries()) {
      const difference = await run.step(command);
      if (difference !== null) return { after: commands.slice(0, at + 1), ...difference };
    }
    return null;
  }

  async #begin(policy: Scenario['policy'], limits: Scenario['limits']) {
    const clock = this.#clock;
    clock.now = began;
    clock.runs += 1;
    const scheduler = `${policy === 'fair-share' ? 'fair' : 'arrival'}-${clock.runs}`;
    const options = {
      clock,
      scheduler,
      began,
      ranking: this.#ranking,
      limits,
      settings,
      maxAttempts: 3,
      retryMs: 10_000,
    };
    const memory = new MemorySide(options);
    const statements = await this.#statements.begin(options);
    const players = [new Player(memory), new Player(statements)] as const;
    const both = async (ask: (player: Player) => Promise<Said>): Promise<Omit<Difference, 'after'> | null> => {
      const [inMemory, byStatements] = [plain(await ask(players[0])), plain(await ask(players[1]))];
      return isDeepStrictEqual(inMemory, byStatements) ? null : { inMemory, byStatements };
    };
    const pass = async (ms: number, isPresent: boolean) => {
      const moments = await memory.pass(ms, isPresent);
      await statements.pass(ms, isPresent, moments);
    };
    // A supervisor starts, and has been there for a while.
    for (const side of [memory, statements]) await side.round();
    await pass(60_000, true);
    let isPresent = true;
    return {
      async step(command: Command) {
        if (command.do === 'forget-finished') {
          const forgotten = players[0].namesOf(memory.forgetFinished());
          for (const player of players) player.forget(forgotten);
        } else if (command.do !== 'pass') {
          const answered = await both((player) => player.play(command, clock.now));
          if (answered !== null) return answered;
        }
        // One that was away is there again with its next round.
        if (command.do === 'round') isPresent = true;
        if (command.do === 'pass' && !command.present) isPresent = false;
        await pass(command.do === 'pass' ? command.ms : betweenMs, isPresent);
        return both((player) => player.state());
      },
    };
  }
}

interface Clock {
  now: number;
  runs: number;
}

interface BothParts {
  readonly clock: Clock;
  readonly ranking: TaskRanking;
  readonly restore: () => void;
}

/** Without what JSON leaves out. */
function plain(said: Said): Said {
  return said === undefined ? null : (JSON.parse(JSON.stringify(said)) as Said);
}
