import type { SetLimit } from '../../../src/control/limit-bodies.ts';
import type { Command, TaskChoice } from './command.ts';
import { limitSets } from './limits.ts';
import type { Scenario } from './play.ts';

/** A scenario in which the simulated queue decided otherwise than the statements: it is played by each run of the tests. */
interface FoundDifference extends Omit<Scenario, 'limits'> {
  readonly limits?: readonly SetLimit[];
  /** What was wrong. */
  readonly found: string;
}

const task = (choice: Partial<TaskChoice> = {}): TaskChoice => ({
  organisation: 0,
  boefje: 0,
  ooi: 0,
  group: null,
  priority: null,
  recurrence: 'none',
  follows: 'nothing',
  ...choice,
});
const push = (...tasks: readonly TaskChoice[]): Command => ({ do: 'push', tasks });
const pop = (units: number, leaseMs = 60_000): Command => ({ do: 'pop', units, leaseMs });
const pass = (ms: number, present = true): Command => ({ do: 'pass', ms, present });
const round: Command = { do: 'round' };
const hour = 3_600_000;
const complete = (...leases: readonly number[]): readonly Command[] =>
  leases.map((lease) => ({ do: 'patch', lease, status: 'completed' }));

export const foundDifferences: readonly FoundDifference[] = [
  {
    found: 'a task that is reported as running without a claim had no lease',
    policy: 'fair-share',
    commands: [push(task()), { do: 'change', task: 0, status: 'running' }],
  },
  {
    found: 'a holder that reported a task as dispatched had not begun',
    policy: 'fair-share',
    commands: [push(task()), pop(1, 600_000), { do: 'patch', lease: 0, status: 'dispatched' }],
  },
  {
    found: 'a claim that gave way to a queued twin, and reached no worker, counted as an attempt',
    policy: 'created-at',
    commands: [push(task()), pop(1), push(task()), { do: 'give-back', lease: 0 }],
  },
  {
    found: 'data that were not completed with their defaults made all tasks one group',
    policy: 'created-at',
    commands: [push(task(), task({ ooi: 1 }), task({ ooi: 2 })), pop(2)],
  },
  {
    found: 'tasks whose leases ended in one sweep were ranked in the order of their leases, not of their age',
    policy: 'fair-share',
    commands: [
      push(task(), task({ ooi: 1 })),
      pop(1, 60_000),
      { do: 'patch', lease: 0, status: 'running' },
      pop(1, 20_000),
      { do: 'patch', lease: 0, status: 'running' },
      pass(120_000),
      round,
    ],
  },
  {
    found: 'the virtual time of an image of which nothing is queued was never forgotten',
    policy: 'fair-share',
    commands: [
      push(task({ boefje: 2 })),
      pop(1),
      push(task({ organisation: 1 }), task({ organisation: 1, ooi: 1 })),
      pop(2),
      ...complete(0, 1),
      push(task({ organisation: 2, boefje: 2 }), task({ organisation: 2, boefje: 2, ooi: 1 })),
      pop(2),
      ...complete(0, 1),
      round,
      { do: 'give-back', lease: 4 },
      push(task({ organisation: 1 })),
    ],
  },
  {
    // This one was the statements' (marks.ts).
    found: 'a virtual time that was forgotten was not stored again: the supervisor remembered that it had been',
    policy: 'fair-share',
    limits: limitSets.one,
    commands: [
      push(task({ priority: 1 })),
      pop(1, 20_000),
      push(
        task({ organisation: 1 }),
        task({ organisation: 2, boefje: 2, ooi: 1 }),
        task({ organisation: 2, boefje: 2 }),
      ),
      push(task({ ooi: 1, recurrence: 'default' })),
      { do: 'change', task: 7, status: 'completed' },
      { do: 'patch', lease: 2, status: 'failed' },
      pop(1),
      { do: 'patch', lease: 0, status: 'running' },
      pass(88_074),
      round,
      pop(2, 600_000),
      pop(1, 20_000),
      pass(71_270),
      round,
      pop(1),
      { do: 'patch', lease: 0, status: 'running' },
      pass(78_468),
      round,
    ],
  },
  {
    found: 'a revocation of boefjes told nothing of what was handed out',
    policy: 'fair-share',
    commands: [push(task()), pop(1), { do: 'revoke-boefjes', organisation: 0, enabled: [1], disabled: [] }],
  },
  {
    found: 'two schedules of one hash that were added at once counted as two',
    policy: 'fair-share',
    commands: [
      {
        do: 'add',
        schedules: [0, 1].map(() => ({
          organisation: 0,
          boefje: 0,
          ooi: 0,
          recurrence: {
            cron: null,
            inherited: false,
            afterMs: hour,
            byInterval: false,
            unreadable: false,
            read: false,
          },
        })),
      },
    ],
  },
  {
    found: 'the keys of a row were in the order in which limits were given',
    policy: 'created-at',
    limits: limitSets.night,
    commands: [push(task())],
  },
  {
    found: 'the end of a pause ranked anew what a limit had parked',
    policy: 'fair-share',
    limits: limitSets.one,
    commands: [
      push(task({ boefje: 1 }), task({ boefje: 1, ooi: 1 })),
      { do: 'pause', of: { organisation: 0, boefje: null } },
      { do: 'resume', of: { organisation: 0, boefje: null } },
    ],
  },
  {
    found: 'what limits hold of a flow, and no pause, moved its next task back',
    policy: 'fair-share',
    limits: limitSets.all,
    commands: [
      push(...[0, 1, 2].flatMap((ooi) => [task({ ooi, boefje: 1 }), task({ ooi })])),
      push(task({ boefje: 1, ooi: 0, organisation: 1 })),
    ],
  },
  {
    found: 'a limited task that runs without a claim did not count, and its group stayed let go',
    policy: 'fair-share',
    limits: limitSets.burst,
    commands: [
      push(task({ group: 0 }), task({ group: 0, ooi: 1 }), task({ ooi: 2 })),
      { do: 'change', task: 0, status: 'running' },
      { do: 'change', task: 2, status: 'running' },
      pass(hour),
    ],
  },
  {
    found: 'a window closed on what it had let go: its claims go on at night only',
    policy: 'created-at',
    limits: limitSets.night,
    commands: [
      push(task(), task({ boefje: 1 })),
      pass(2 * hour),
      pop(1),
      pass(8 * hour),
      pop(2),
      pass(14 * hour),
      pop(2),
    ],
  },
];
