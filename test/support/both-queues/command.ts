import * as fc from 'fast-check';
import type { DisabledReason, TaskStatus } from '../../../src/tasks/task.ts';

/** What a command names: so many back from the newest, as far as there are as many. */
type Back = number;

export interface TaskChoice extends PairChoice {
  readonly group: number | null;
  readonly priority: number | null;
  readonly recurrence: RecurrenceChoice;
  /** What an actor decided, as things are or were; a person's push follows nothing. */
  readonly follows: 'latest' | 'none' | 'nothing';
}

/** A boefje on an OOI of an organisation. */
export interface PairChoice {
  readonly organisation: number;
  readonly boefje: number;
  readonly ooi: number;
}

export interface GivenRecurrence {
  readonly cron: string | null;
  readonly inherited: boolean;
  /** From now on; null for no deadline. */
  readonly afterMs: number | null;
  readonly byInterval: boolean;
  readonly unreadable: boolean;
  /** It was decided on the schedule as it was read last, if it was. */
  readonly read: boolean;
}

type RecurrenceChoice = 'assumed' | 'none' | 'default' | GivenRecurrence;

/** Undefined: as it was. */
export interface SettlementChoice {
  readonly schedule: Back;
  readonly afterMs: number | null | undefined;
  readonly cron: string | null | undefined;
  readonly inherited: boolean | undefined;
  readonly byInterval: boolean;
  readonly asked: boolean;
  readonly disabled: DisabledReason | null | undefined;
}

export interface PauseChoice {
  readonly organisation: number | null;
  readonly boefje: number | null;
}

export type Command =
  | { readonly do: 'push'; readonly tasks: readonly TaskChoice[] }
  | { readonly do: 'pop'; readonly units: number; readonly leaseMs: number }
  | { readonly do: 'patch'; readonly lease: Back; readonly status: TaskStatus }
  | { readonly do: 'change'; readonly task: Back; readonly status: TaskStatus }
  | { readonly do: 'heartbeat'; readonly leases: readonly Back[]; readonly leaseMs: number | null }
  | { readonly do: 'give-back'; readonly lease: Back }
  | { readonly do: 'round' }
  /** The queue in memory forgets what is finished: of no consequence for what is left. */
  | { readonly do: 'forget-finished' }
  | { readonly do: 'claim-due'; readonly limit: number; readonly except: readonly number[] }
  | { readonly do: 'settle'; readonly settlements: readonly SettlementChoice[] }
  | { readonly do: 'read-boefje'; readonly organisation: number; readonly boefje: number; readonly limit: number }
  | { readonly do: 'add'; readonly schedules: readonly (PairChoice & { readonly recurrence: GivenRecurrence })[] }
  | {
      readonly do: 'enable';
      readonly organisation: number;
      readonly boefjes: readonly number[] | null;
      readonly oois: readonly number[] | null;
      readonly reasons: readonly DisabledReason[];
    }
  | { readonly do: 'forget'; readonly organisation: number; readonly oois: readonly number[] }
  | { readonly do: 'delete'; readonly pairs: readonly PairChoice[] }
  | { readonly do: 'look' }
  | { readonly do: 'see'; readonly organisation: number; readonly boefjes: readonly number[] }
  | { readonly do: 'revoke'; readonly pairs: readonly PairChoice[] }
  | {
      readonly do: 'revoke-boefjes';
      readonly organisation: number;
      readonly enabled: readonly number[];
      readonly disabled: readonly number[];
    }
  | { readonly do: 'pause'; readonly of: PauseChoice }
  | { readonly do: 'resume'; readonly of: PauseChoice }
  | { readonly do: 'weigh'; readonly organisation: number; readonly weight: number }
  | { readonly do: 'pass'; readonly ms: number; readonly present: boolean };

const leaseMs = fc.constantFrom(20_000, 60_000, 600_000);
const back = fc.nat(9);
const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

const few = fc.nat(2);
const some = fc.uniqueArray(few, { maxLength: 3 });
const pair = { organisation: few, boefje: few, ooi: few };
const pairs = fc.array(fc.record(pair), { minLength: 1, maxLength: 3 });

const givenRecurrence: fc.Arbitrary<GivenRecurrence> = fc.record({
  cron: fc.constantFrom(null, '0 * * * *'),
  inherited: fc.boolean(),
  afterMs: fc.constantFrom(null, -second, minute, day),
  byInterval: fc.boolean(),
  unreadable: fc.boolean(),
  read: fc.boolean(),
});
const recurrence: fc.Arbitrary<RecurrenceChoice> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('none', 'assumed', 'default') },
  { weight: 1, arbitrary: givenRecurrence },
);

const reasons = [
  'ooi-gone',
  'scan-level-too-low',
  'boefje-disabled',
  'boefje-gone',
  'run-on-only',
  'cron-unreadable',
] as const;

const settlement: fc.Arbitrary<SettlementChoice> = fc.record({
  schedule: back,
  afterMs: fc.constantFrom(undefined, null, -second, minute, hour, day),
  cron: fc.constantFrom(undefined, undefined, null, '0 * * * *'),
  inherited: fc.constantFrom(undefined, true, false),
  byInterval: fc.boolean(),
  asked: fc.boolean(),
  disabled: fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, fc.constantFrom(null, ...reasons)),
});

const paused: fc.Arbitrary<PauseChoice> = fc.record({
  organisation: fc.constantFrom(null, 0, 0, 1),
  boefje: fc.constantFrom(null, null, 0, 1),
});

const task: fc.Arbitrary<TaskChoice> = fc.record({
  ...pair,
  group: fc.option(fc.nat(1), { freq: 3 }),
  priority: fc.oneof({ weight: 5, arbitrary: fc.constant(null) }, { weight: 2, arbitrary: fc.constantFrom(1, 500) }),
  recurrence,
  follows: fc.oneof({ weight: 4, arbitrary: fc.constant('nothing' as const) }, fc.constantFrom('latest', 'none')),
});

const command = <K extends Command['do']>(
  weight: number,
  kind: K,
  values: { [P in keyof Omit<Extract<Command, { do: K }>, 'do'>]: fc.Arbitrary<Extract<Command, { do: K }>[P]> },
) => ({ weight, arbitrary: fc.record({ do: fc.constant(kind), ...values }) as unknown as fc.Arbitrary<Command> });

const anyCommand: fc.Arbitrary<Command> = fc.oneof(
  command(8, 'push', { tasks: fc.array(task, { minLength: 1, maxLength: 5 }) }),
  command(6, 'pop', { units: fc.integer({ min: 1, max: 4 }), leaseMs }),
  command(5, 'patch', {
    lease: back,
    status: fc.constantFrom('running', 'running', 'completed', 'failed', 'cancelled', 'queued', 'dispatched'),
  }),
  command(2, 'change', {
    task: back,
    status: fc.constantFrom('running', 'completed', 'failed', 'cancelled', 'queued', 'queued'),
  }),
  command(1, 'heartbeat', { leases: fc.array(back, { minLength: 1, maxLength: 3 }), leaseMs: fc.option(leaseMs) }),
  command(1, 'give-back', { lease: back }),
  command(5, 'round', {}),
  command(3, 'claim-due', { limit: fc.constant(100), except: fc.uniqueArray(few, { maxLength: 1 }) }),
  command(3, 'settle', { settlements: fc.array(settlement, { minLength: 1, maxLength: 3 }) }),
  command(1, 'read-boefje', { organisation: few, boefje: few, limit: fc.constantFrom(1, 100) }),
  command(1, 'add', {
    schedules: fc.uniqueArray(fc.record({ ...pair, recurrence: givenRecurrence }), {
      minLength: 1,
      maxLength: 4,
      selector: ({ organisation, boefje, ooi }) => `${organisation} ${boefje} ${ooi}`,
    }),
  }),
  command(1, 'enable', {
    organisation: few,
    boefjes: fc.option(some),
    oois: fc.option(some),
    reasons: fc.uniqueArray(fc.constantFrom(...reasons), { minLength: 1, maxLength: 6 }),
  }),
  command(1, 'forget', { organisation: few, oois: some }),
  command(1, 'delete', { pairs }),
  command(1, 'look', {}),
  command(1, 'see', { organisation: few, boefjes: some }),
  command(1, 'revoke', { pairs }),
  command(1, 'revoke-boefjes', { organisation: few, enabled: some, disabled: some }),
  command(1, 'pause', { of: paused }),
  command(2, 'resume', { of: paused }),
  command(1, 'weigh', { organisation: few, weight: fc.constantFrom(1, 2, 0.3) }),
  command(1, 'forget-finished', {}),
  command(5, 'pass', {
    ms: fc.oneof(
      fc.integer({ min: 1, max: 3 * second }),
      fc.integer({ min: second, max: 3 * minute }),
      // A lease ends, and its task waits to be tried again.
      fc.integer({ min: 20 * second, max: 35 * second }),
      fc.integer({ min: 60 * second, max: 75 * second }),
      fc.integer({ min: minute, max: 3 * hour }),
      fc.integer({ min: hour, max: 3 * day }),
    ),
    present: fc.oneof({ weight: 3, arbitrary: fc.constant(true) }, fc.constant(false)),
  }),
);

/** A worker that begins a task and dies: its lease ends, and the task waits to be tried again, or is taken by a sweep. */
const deadWorker: fc.Arbitrary<readonly Command[]> = fc
  .record({ length: fc.constantFrom(20 * second, 60 * second), after: fc.nat(30 * second) })
  .map(({ length, after }) => [
    { do: 'pop', units: 1, leaseMs: length },
    { do: 'patch', lease: 0, status: 'running' },
    { do: 'pass', ms: length + after, present: true },
    { do: 'round' },
  ]);

/** Some 30, any of which may come after any other. */
export const anyCommands: fc.Arbitrary<readonly Command[]> = fc
  .array(
    fc.oneof(
      { weight: 25, arbitrary: anyCommand.map((one): readonly Command[] => [one]) },
      { weight: 1, arbitrary: deadWorker },
    ),
    { minLength: 1, maxLength: 60, size: 'max' },
  )
  .map((parts) => parts.flat());
