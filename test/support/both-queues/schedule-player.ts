import type { DueSchedule, NewTask, Recurrence, ScheduleSettlement } from '../../../src/protocol/requests.ts';
import type { Command, GivenRecurrence, PairChoice, SettlementChoice } from './command.ts';
import { allHashes, boefjeOf, dataOf, hashOf, ooiOf, organisationOf } from './pairs.ts';
import type { QueueSide, Said } from './side.ts';

type ScheduleCommand = Extract<
  Command,
  { do: 'claim-due' | 'settle' | 'read-boefje' | 'add' | 'enable' | 'forget' | 'delete' | 'look' | 'see' }
>;

/** What an actor asks about schedules, and does with what it read. */
export class SchedulePlayer {
  readonly #side: QueueSide;
  readonly #nameOf: (taskId: string) => string;
  /** As they were read, the newest last. */
  readonly #read: DueSchedule[] = [];

  constructor(side: QueueSide, nameOf: (taskId: string) => string) {
    this.#side = side;
    this.#nameOf = nameOf;
  }

  async play(command: ScheduleCommand, now: number): Promise<Said> {
    const { store, scheduler } = this.#side;
    switch (command.do) {
      case 'claim-due': {
        const except = command.except.map(organisationOf);
        return this.#learn(await store.claimDueSchedules(scheduler, { limit: command.limit, except }));
      }
      case 'settle': {
        const settlements = command.settlements.flatMap((choice) => this.#settlementOf(choice, now) ?? []);
        return settlements.length === 0 ? null : store.settleSchedules(scheduler, { settlements });
      }
      case 'read-boefje': {
        const of = { organisation: organisationOf(command.organisation), boefje: boefjeOf(command.boefje) };
        return this.#learn(await store.schedulesOfBoefje(scheduler, { ...of, after: null, limit: command.limit }));
      }
      case 'add': {
        const schedules = command.schedules.map(({ recurrence, ...pair }) => ({
          organisation: organisationOf(pair.organisation),
          hash: hashOf(pair),
          data: dataOf(pair),
          recurrence: this.#given({ ...recurrence, read: false }, pair, now),
        }));
        return store.addSchedules(scheduler, { schedules });
      }
      case 'enable': {
        const { reasons, boefjes, oois } = command;
        const organisation = organisationOf(command.organisation);
        if (oois !== null) {
          const pairs = oois.map((ooi) => ({ organisation, ooi: ooiOf(ooi) }));
          return store.enableSchedules(scheduler, { reasons, oois: pairs });
        }
        const of = boefjes === null ? {} : { boefjes: boefjes.map(boefjeOf) };
        return store.enableSchedules(scheduler, { reasons, organisation, ...of });
      }
      case 'forget': {
        const organisation = organisationOf(command.organisation);
        return store.forgetOois(scheduler, { oois: command.oois.map((ooi) => ({ organisation, ooi: ooiOf(ooi) })) });
      }
      case 'delete':
        return store.deleteSchedules(scheduler, { hashes: command.pairs.map(hashOf) });
      case 'look':
        return this.#look();
      case 'see': {
        const organisation = organisationOf(command.organisation);
        const seen = [{ organisation, boefjes: command.boefjes.map(boefjeOf), recurrences: { dns: '0 * * * *' } }];
        return store.saveSeenBoefjes(scheduler, { seen });
      }
    }
  }

  /** All that is asked and changes nothing. */
  async #look(): Promise<Said> {
    const { store, scheduler } = this.#side;
    const latest = await store.latestTasks(scheduler, { hashes: allHashes });
    const streaks = await store.failureStreaks(scheduler, { hashes: allHashes });
    const ids = [...new Set(this.#read.map(({ id }) => id))];
    const schedules = await store.readSchedules(scheduler, { ids });
    const seen = await store.seenBoefjes(scheduler, {});
    return {
      latest: byHash(latest).map(({ id, ...task }) => ({ task: this.#nameOf(id), ...task })),
      streaks: byHash(streaks),
      schedules: this.#learn(byHash(schedules)),
      seen: seen
        .map(({ organisation, boefjes, recurrences }) => ({ organisation, boefjes: boefjes.toSorted(), recurrences }))
        .toSorted((a, b) => (a.organisation < b.organisation ? -1 : 1)),
    };
  }

  recurrenceOf(
    choice: Exclude<NonNullable<NewTask['recurrence']>, Recurrence> | GivenRecurrence,
    pair: PairChoice,
    now: number,
  ): NonNullable<NewTask['recurrence']> {
    return typeof choice === 'string' ? choice : this.#given(choice, pair, now);
  }

  #given(choice: GivenRecurrence, pair: PairChoice, now: number): Recurrence {
    const { cron, inherited, afterMs, byInterval, unreadable, read } = choice;
    const known = read ? this.#read.findLast(({ hash }) => hash === hashOf(pair)) : undefined;
    return {
      schedule: cron,
      inherited,
      deadlineAt: isoAfter(now, afterMs),
      byInterval,
      ...(unreadable ? { disabled: 'cron-unreadable' } : {}),
      ...(known === undefined ? {} : { version: known.version }),
    };
  }

  #settlementOf(choice: SettlementChoice, now: number): ScheduleSettlement | null {
    const { afterMs, cron, inherited, byInterval, asked, disabled } = choice;
    const read = this.#read.at(-1 - (choice.schedule % Math.max(1, this.#read.length)));
    if (read === undefined) return null;
    return {
      id: read.id,
      version: read.version,
      ...(afterMs === undefined ? {} : { deadlineAt: isoAfter(now, afterMs), byInterval, asked }),
      ...(cron === undefined ? {} : { schedule: cron }),
      ...(cron === undefined || inherited === undefined ? {} : { inherited }),
      ...(disabled === undefined ? {} : { disabled }),
    };
  }

  #learn(schedules: readonly DueSchedule[]): Said {
    this.#read.push(...schedules);
    return schedules.map(({ id: _id, version: _version, data, ...schedule }) => {
      return { ooi: data['input_ooi'], ...schedule };
    });
  }
}

function isoAfter(now: number, ms: number | null): string | null {
  return ms === null ? null : new Date(now + ms).toISOString();
}

function byHash<T extends { readonly hash: string }>(all: readonly T[]): readonly T[] {
  return all.toSorted((a, b) => (a.hash < b.hash ? -1 : 1));
}
