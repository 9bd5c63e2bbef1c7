import { type Command, CommanderError } from 'commander';
import { limitCommands, type LimitPorts } from '../control/limits.ts';
import { commandRunner, type RunCommand } from '../control/operator-command.ts';
import { pauseCommands, type QueuePorts, requireScheduler } from '../control/queues.ts';
import { RotaError } from '../errors.ts';
import { failureOf } from '../mailbox/failure.ts';
import type { PauseKey } from '../queue/maintenance/pauses.ts';
import type { Limit } from '../queue/limits/view.ts';
import { line } from './terminal.ts';
import { isSame } from '../simulator/virtual/queue/pauses.ts';
import type { Snapshot } from '../simulator/what-if/snapshot.ts';
import type { Standing } from '../simulator/what-if/standing.ts';
import { wholeNumber } from './arguments.ts';
import {
  limitBody,
  type LimitOptions,
  setLimitCommand,
  setWindowCommand,
  windowBody,
  type WindowOptions,
} from './limits.ts';
import { pauseCommand, type PauseOptions, resumeCommand, setWeightCommand } from './queues.ts';

/** Each may be given several times, in the words of the command that makes the change. */
export interface GivenChanges {
  readonly pause?: readonly string[];
  readonly resume?: readonly string[];
  readonly weight?: readonly string[];
  readonly limit?: readonly string[];
  readonly window?: readonly string[];
  readonly withoutLimit?: readonly string[];
  readonly workers?: readonly string[];
}

const mostWorkers = 100_000;

/**
 * What would stand after the changes, by the same arguments, checks and sentences as of the commands: `rota pause`, `resume`,
 * `weights set`, `limits set`, `windows set` and `limits unset`, of which nothing is done.
 * @throws RotaError INVALID_REQUEST that names the option
 */
export async function changedStanding(
  { limits, at }: Pick<Snapshot, 'limits' | 'at'>,
  standing: Standing,
  given: GivenChanges,
): Promise<Standing> {
  const draft = new Draft(limits, standing, at);
  const read = async (option: keyof GivenChanges, change: (words: readonly string[]) => Promise<void>) => {
    for (const text of given[option] ?? [])
      await Promise.try(() => change(wordsOf(text))).catch((error: unknown) => {
        const said =
          error instanceof CommanderError
            ? error.message.replace(/^error: /, '').replace('\n', ' ')
            : failureOf(error).message;
        throw new RotaError('INVALID_REQUEST', line`--${dashed(option)} ${JSON.stringify(text)}: ${said}`);
      });
  };
  // What ends makes room for what is set.
  await read('withoutLimit', (words) => draft.withoutLimit(words));
  await read('resume', (words) => draft.pause('resume', words));
  await read('pause', (words) => draft.pause('pause', words));
  await read('weight', (words) => draft.weight(words));
  await read('limit', (words) => draft.limit(words));
  await read('window', (words) => draft.window(words));
  await read('workers', (words) => draft.workers(words));
  return draft.standing();
}

/** What the commands change in place of a database. */
class Draft {
  readonly #schedulers: readonly string[];
  readonly #run: RunCommand;
  readonly #pauses: PauseKey[];
  readonly #resumed: PauseKey[] = [];
  readonly #limits: Map<string, Limit>;
  readonly #weights: Map<string, Standing['weights'][number]>;
  readonly #workers: Map<string, number>;

  constructor(limits: readonly Limit[], standing: Standing, now: number) {
    this.#schedulers = [...standing.workers.keys()];
    this.#pauses = [...standing.pauses];
    this.#limits = new Map(limits.map((limit) => [limit.name, limit]));
    this.#weights = new Map(standing.weights.map((it) => [`${it.scheduler} ${it.organisation}`, it]));
    this.#workers = new Map(standing.workers);
    const ports = { schedulerIds: this.#schedulers, audit: () => {} };
    const commands = {
      ...pauseCommands({ ...ports, pauses: this.#pausePorts(), purge: notHere }),
      ...limitCommands({ ...ports, now: () => now, limits: this.#limitPorts(now) }),
    };
    this.#run = commandRunner(commands, () => {});
  }

  standing(): Standing {
    return {
      pauses: this.#pauses,
      resumed: this.#resumed,
      limits: [...this.#limits.values()],
      weights: [...this.#weights.values()],
      workers: this.#workers,
    };
  }

  async pause(name: 'pause' | 'resume', words: readonly string[]): Promise<void> {
    const command = name === 'pause' ? pauseCommand() : resumeCommand();
    const { arguments: given, options } = await argumentsOf<PauseOptions>(command, words);
    const { organisation, boefje } = options;
    await this.#do(name, { scheduler: given[0], organisation, boefje });
  }

  async weight(words: readonly string[]): Promise<void> {
    const [scheduler, organisation, weight] = (await argumentsOf(setWeightCommand(), words)).arguments as [
      string,
      string,
      number,
    ];
    requireScheduler(this.#schedulers, scheduler);
    this.#weights.set(`${scheduler} ${organisation}`, { scheduler, organisation, weight });
  }

  async limit(words: readonly string[]): Promise<void> {
    const { arguments: given, options } = await argumentsOf<LimitOptions>(setLimitCommand(), words);
    await this.#do('set-limit', limitBody(String(given[0]), options));
  }

  async window(words: readonly string[]): Promise<void> {
    const { arguments: given, options } = await argumentsOf<WindowOptions>(setWindowCommand(), words);
    await this.#do('set-window', windowBody(String(given[0]), options));
  }

  async withoutLimit(words: readonly string[]): Promise<void> {
    if (words.length !== 1) throw new RotaError('INVALID_REQUEST', 'expected the name of a limit or a window');
    const name = words[0]!;
    await this.#do(this.#limits.get(name)?.kind === 'window' ? 'unset-window' : 'unset-limit', { name });
  }

  async workers(words: readonly string[]): Promise<void> {
    const [scheduler, count] = words;
    if (scheduler === undefined || count === undefined || words.length > 2)
      throw new RotaError('INVALID_REQUEST', 'expected a scheduler and a number, such as boefje 8');
    requireScheduler(this.#schedulers, scheduler);
    this.#workers.set(scheduler, wholeNumber(0, mostWorkers)(count));
  }

  async #do(name: string, body: object): Promise<void> {
    const given = Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
    await this.#run(name, given, { by: null, access: 'operate' });
  }

  #pausePorts(): QueuePorts['pauses'] {
    const moved = { moved: 0, complete: true };
    const placeOf = (key: PauseKey) => this.#pauses.findIndex((pause) => isSame(pause, key));
    return {
      pause: async (key) => {
        if (placeOf(key) < 0) this.#pauses.push(key);
        return moved;
      },
      resume: async (key) => {
        const place = placeOf(key);
        if (place < 0) return null;
        this.#resumed.push(...this.#pauses.splice(place, 1));
        return moved;
      },
      list: async () =>
        this.#pauses.map((pause) => ({ ...pause, id: '', pausedBy: null, note: null, since: '1970-01-01T00:00:00Z' })),
      knows: async () => true,
    };
  }

  #limitPorts(now: number): LimitPorts['limits'] {
    return {
      list: async () => ({ limits: [...this.#limits.values()], now }),
      set: async (limit) => {
        const isNew = !this.#limits.has(limit.name);
        const since = { version: 0, changedAt: '', isApplying: false, isRevisited: false, removed: false };
        this.#limits.set(limit.name, { ...limit, ...since, admitted: 0, waited: 0, fallbacks: 0 });
        return isNew;
      },
      unset: async (name) => this.#limits.delete(name),
      held: async () => [],
      places: async () => [],
    };
  }
}

function notHere(): Promise<never> {
  return Promise.reject(new RotaError('NOT_FOUND', 'a what-if purges nothing'));
}

/** What a command would be called with. @throws CommanderError */
async function argumentsOf<Options extends object>(
  command: Command,
  words: readonly string[],
): Promise<{ readonly arguments: readonly unknown[]; readonly options: Options }> {
  let given: readonly unknown[] = [];
  const silent = () => {};
  command
    .exitOverride()
    .configureOutput({ writeOut: silent, writeErr: silent, outputError: silent })
    .action((...all: readonly unknown[]) => {
      given = all.slice(0, -2);
    });
  await command.parseAsync(words, { from: 'user' });
  const talks = ['nats', 'prefix', 'timeout', 'json'].find((name) => command.getOptionValueSource(name) === 'cli');
  if (talks !== undefined)
    throw new RotaError('INVALID_REQUEST', `--${talks} is for a Rota that runs: nothing is asked of one here`);
  return { arguments: given, options: command.opts<Options>() };
}

/** As a shell has them: parted by blanks, but within quotes. */
function wordsOf(text: string): readonly string[] {
  if (/['"]/.test(text.replaceAll(/'[^']*'|"[^"]*"/g, '')))
    throw new RotaError('INVALID_REQUEST', 'a quote without its other one');
  const words = text.match(/(?:[^\s'"]|'[^']*'|"[^"]*")+/g) ?? [];
  return words.map((word) => word.replaceAll(/'([^']*)'|"([^"]*)"/g, (_all, single, double) => single ?? double));
}

/** `withoutLimit` as it is given: `without-limit`. */
export function dashed(option: string): string {
  return option.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
