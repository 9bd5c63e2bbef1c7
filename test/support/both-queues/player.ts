import type { NewTask } from '../../../src/protocol/requests.ts';
import type { PauseKey } from '../../../src/queue/maintenance/pauses.ts';
import type { Command, PauseChoice, TaskChoice } from './command.ts';
import { boefjeOf, dataOf, hashOf, organisationOf } from './pairs.ts';
import { SchedulePlayer } from './schedule-player.ts';
import type { QueueSide, Said } from './side.ts';

/** Gives commands to one of the queues, and tells its answers with the names of tasks and leases instead of their ids. */
export class Player {
  readonly #side: QueueSide;
  readonly #schedules: SchedulePlayer;
  readonly #forgotten = new Set<string>();
  #tasks: { readonly id: string }[] = [];
  #leases: { readonly id: string; readonly leaseId: string }[] = [];
  readonly #names = new Map<string, string>();

  constructor(side: QueueSide) {
    this.#side = side;
    this.#schedules = new SchedulePlayer(side, (id) => this.#nameOf(id));
  }

  /** @param now epoch milliseconds */
  async play(command: Command, now: number): Promise<Said> {
    const side = this.#side;
    switch (command.do) {
      case 'push':
        return this.#push(command.tasks, now);
      case 'pop':
        return this.#pop(command.units, command.leaseMs);
      case 'patch': {
        const lease = this.#back(this.#leases, command.lease);
        return lease === undefined ? null : side.patch(lease.id, lease.leaseId, command.status);
      }
      case 'change': {
        const task = this.#back(this.#tasks, command.task);
        return task === undefined ? null : side.patch(task.id, null, command.status);
      }
      case 'heartbeat': {
        const leases = new Map(
          command.leases.flatMap((at) => {
            const lease = this.#back(this.#leases, at);
            return lease === undefined ? [] : [[lease.id, lease] as const];
          }),
        );
        const renewed = await side.heartbeat([...leases.values()], command.leaseMs);
        return renewed.map((id) => this.#nameOf(id)).toSorted();
      }
      case 'give-back': {
        const lease = this.#back(this.#leases, command.lease);
        return lease === undefined ? null : side.giveBack(lease);
      }
      case 'round':
        return side.round();
      case 'claim-due':
      case 'settle':
      case 'read-boefje':
      case 'add':
      case 'enable':
      case 'forget':
      case 'delete':
      case 'look':
      case 'see':
        return this.#schedules.play(command, now);
      case 'revoke': {
        const revocations = command.pairs.map(
          (pair) => ({ hash: hashOf(pair), reason: 'scan-level-too-low' }) as const,
        );
        return side.store.revokeTasks(side.scheduler, { revocations });
      }
      case 'revoke-boefjes': {
        const [enabled, disabled] = [command.enabled.map(boefjeOf), command.disabled.map(boefjeOf)];
        const organisation = organisationOf(command.organisation);
        return side.store.revokeTasks(side.scheduler, { revocations: [{ organisation, enabled, disabled }] });
      }
      case 'pause':
        return side.pause(this.#pauseKey(command.of));
      case 'resume':
        return side.resume(this.#pauseKey(command.of));
      case 'weigh':
        return side.weigh(organisationOf(command.organisation), command.weight);
      case 'forget-finished':
      case 'pass':
        throw new Error('not for one of the two');
    }
  }

  /** Tasks that the queue in memory has forgotten: nothing is asked or told of them any more. */
  forget(names: ReadonlySet<string>): void {
    const isKnown = ({ id }: { readonly id: string }) => !names.has(this.#nameOf(id));
    this.#tasks = this.#tasks.filter(isKnown);
    this.#leases = this.#leases.filter(isKnown);
    for (const name of names) this.#forgotten.add(name);
  }

  namesOf(ids: readonly string[]): ReadonlySet<string> {
    return new Set(ids.map((id) => this.#nameOf(id)));
  }

  async state(): Promise<Said> {
    const { tasks, schedules } = await this.#side.state();
    const known = tasks.filter(({ id }) => !this.#forgotten.has(this.#nameOf(id)));
    return {
      tasks: known.map(({ id, lease, ...task }) => ({
        task: this.#nameOf(id),
        ...task,
        lease:
          lease === null ? null : { ...lease, leaseId: lease.leaseId === null ? null : this.#nameOf(lease.leaseId) },
      })),
      schedules,
    };
  }

  #back<T>(all: readonly T[], at: number): T | undefined {
    return all.at(-1 - (at % Math.max(1, all.length)));
  }

  #nameOf(id: string): string {
    return this.#names.get(id) ?? `unknown ${id}`;
  }

  async #push(choices: readonly TaskChoice[], now: number): Promise<Said> {
    const tasks: NewTask[] = [];
    for (const choice of choices) tasks.push(await this.#taskOf(choice, now));
    const outcomes = await this.#side.push(tasks);
    return outcomes.map((outcome) => {
      if (outcome.outcome !== 'queued') return outcome;
      const { id, scheduleId } = outcome;
      this.#names.set(id, `task ${this.#names.size}`);
      this.#tasks.push({ id });
      return { queued: this.#nameOf(id), scheduled: scheduleId !== null };
    });
  }

  async #taskOf(choice: TaskChoice, now: number): Promise<NewTask> {
    const { group, priority, recurrence, follows } = choice;
    const { store, scheduler } = this.#side;
    const latest = async () => (await store.latestTasks(scheduler, { hashes: [hashOf(choice)] }))[0]?.id ?? null;
    return {
      organisation: organisationOf(choice.organisation),
      data: { ...dataOf(choice), ...(group === null ? {} : { deduplication_key: `group-${group}` }) },
      ...(priority === null ? {} : { priority }),
      ...(recurrence === 'assumed' ? {} : { recurrence: this.#schedules.recurrenceOf(recurrence, choice, now) }),
      ...(follows === 'nothing' ? {} : { follows: follows === 'none' ? null : await latest() }),
    };
  }

  #pauseKey({ organisation, boefje }: PauseChoice): PauseKey {
    return {
      scheduler: this.#side.scheduler,
      organisation: organisation === null ? null : organisationOf(organisation),
      plugin: boefje === null ? null : boefjeOf(boefje),
    };
  }

  async #pop(units: number, leaseMs: number): Promise<Said> {
    const claimed = await this.#side.pop(units, leaseMs);
    return claimed.map(({ id, leaseId, ...claim }) => {
      this.#names.set(leaseId, `lease ${this.#names.size}`);
      this.#leases.push({ id, leaseId });
      return { task: this.#nameOf(id), ...claim };
    });
  }
}
