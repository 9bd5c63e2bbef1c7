import { describe, expect, test } from 'vitest';
import { adviceOn } from '../../src/control/advice.ts';
import { verdictOf, whyNotNow } from '../../src/control/verdict.ts';
import type { ExplanationStep } from '../../src/protocol/commands.ts';
import type { ExplanationView, StartEstimate } from '../../src/protocol/operator-lists.ts';
import { type RefusalReason, refusalReasons } from '../../src/tasks/refusal.ts';
import type { TaskStatus } from '../../src/tasks/task.ts';

const now = '2026-03-02T12:00:00.000Z';
const [earlier, later] = ['2026-03-02T11:00:00.000Z', '2026-03-02T13:00:00.000Z'] as const;

const passes: ExplanationStep = { rule: 'enabled', outcome: 'passes', reason: null, fact: 'dns is enabled' };
const refuses = (reason: RefusalReason | null): ExplanationStep => {
  return { rule: 'rule', outcome: 'refuses', reason, fact: `the fact of ${reason}` };
};
const unanswered = (rule: string): ExplanationStep => {
  return { rule, outcome: 'unanswered', reason: null, fact: `${rule} answered 503` };
};

/** Nothing is in the way of this one. */
function explained(changes: Partial<ExplanationView> = {}): ExplanationView {
  return {
    asked_at: now,
    scheduler: 'boefje',
    organisation: 'acme',
    hash: 'a',
    trigger: 'event',
    verdict: 'would-run',
    reason: null,
    steps: [passes],
    in_the_way: [],
    start: null,
    task: null,
    schedule: null,
    next_run_at: null,
    then_again_at: null,
    ...changes,
  };
}

const refused = (reason: RefusalReason, changes: Partial<ExplanationView> = {}) =>
  explained({ verdict: 'refused', reason, steps: [passes, refuses(reason)], ...changes });

const taskOf = (status: TaskStatus): ExplanationView['task'] => {
  return { id: 'b', status, reason: null, attempts: 1, created_at: earlier, modified_at: earlier };
};
const scheduleOf = (changes: Partial<NonNullable<ExplanationView['schedule']>> = {}): ExplanationView['schedule'] => {
  return {
    id: 'c',
    enabled: true,
    disabled_reason: null,
    schedule: null,
    inherited: false,
    deadline_at: later,
    ...changes,
  };
};

const inLine: StartEstimate = {
  estimated_start_at: later,
  unknown: null,
  image: 'openkat/dns',
  among: 'image',
  before: 1_204,
  before_is_least: false,
  per_second: 1,
  over_seconds: 299,
  asked_at: earlier,
};
const untold = (unknown: StartEstimate['unknown'], changes: Partial<StartEstimate> = {}): StartEstimate => {
  return { ...inLine, estimated_start_at: null, unknown, ...changes };
};
const queued = (start: StartEstimate | null, changes: Partial<ExplanationView> = {}) =>
  refused('already-queued', { task: taskOf('queued'), start, ...changes });

const pause = { what: 'pause', fact: 'paused', since: earlier, by: 'ops-2', note: 'migration' } as const;
const worker = { what: 'worker', fact: 'w-17 has it', by: 'w-17', until: later } as const;

describe('verdicts', () => {
  test.each<[string, ExplanationView, object]>([
    [
      'runs now',
      refused('still-running', { task: taskOf('running'), in_the_way: [worker] }),
      { kind: 'at-work', level: 'good', sentence: 'It runs now on worker w-17.', fact: 'w-17 has it' },
    ],
    [
      'is handed out',
      refused('still-running', { task: taskOf('dispatched'), in_the_way: [{ ...worker, by: null }] }),
      { kind: 'at-work', sentence: 'It is with a worker without a name, which has not reported yet that it runs.' },
    ],
    [
      'had a lease that ended',
      refused('still-running', { task: taskOf('running'), in_the_way: [{ ...worker, what: 'lease', until: earlier }] }),
      {
        kind: 'at-work',
        level: 'warn',
        sentence:
          'It was on worker w-17, whose lease ended 2026-03-02 11:00:00 UTC: it goes back to the queue by itself.',
      },
    ],
    [
      'is at work without a lease',
      refused('still-running', { task: taskOf('dispatched') }),
      { kind: 'at-work', level: 'warn', sentence: 'It is dispatched, and no lease of it is known.' },
    ],
    [
      'starts about a time',
      queued(inLine),
      {
        kind: 'queued',
        level: 'good',
        sentence:
          'Queued since 2026-03-02 11:00:00 UTC; it starts about 2026-03-02 13:00:00 UTC (in 1h 0m), 1204 of image openkat/dns before it.',
        fact: null,
      },
    ],
    [
      'starts after a time, where more were not counted',
      queued({ ...inLine, before_is_least: true }),
      { sentence: expect.stringMatching(/it starts after .*, more than 1204 of image/) },
    ],
    [
      'is queued, and one more would be refused',
      queued(inLine, { reason: 'scan-level-too-low', steps: [refuses('scan-level-too-low')] }),
      { kind: 'queued', fact: 'one more would be refused: scan-level-too-low: the fact of scan-level-too-low' },
    ],
    [
      'is held',
      queued(untold('held'), { in_the_way: [pause] }),
      {
        kind: 'held',
        level: 'warn',
        sentence: 'Queued, paused since 2026-03-02 11:00:00 UTC by ops-2.',
        fact: 'migration',
        advice: expect.stringContaining('resume'),
      },
    ],
    [
      'would be held',
      explained({ in_the_way: [{ ...pause, by: null }] }),
      {
        kind: 'held',
        sentence: expect.stringMatching(/^It would be queued .*, and held: .* by an unknown operator\.$/),
      },
    ],
    [
      'is asked for by nobody',
      queued(untold('nobody-asks')),
      {
        kind: 'nobody-asks',
        level: 'bad',
        sentence: 'Queued since 2026-03-02 11:00:00 UTC, and no worker asks for its image, openkat/dns.',
        // Pops over a client's bound are refused before they are counted.
        fact: expect.stringMatching(/last one asked .*; pops that are refused do not count$/),
      },
    ],
    [
      'was never asked for',
      queued(untold('nobody-asks', { image: null, asked_at: null })),
      {
        sentence: expect.stringMatching(/no worker asks for its scheduler\.$/),
        fact: expect.stringMatching(/^none has asked within a week/),
      },
    ],
    [
      'is queued and stands',
      queued(untold('none-handed-out')),
      { kind: 'queued', level: 'warn', sentence: expect.stringMatching(/cannot be told: none was handed out/) },
    ],
    ['is queued and was moved meanwhile', queued(null), { kind: 'queued', level: 'warn' }],
    [
      'waits for its grace period',
      refused('grace-period', { next_run_at: later }),
      {
        kind: 'waits',
        level: 'idle',
        sentence:
          'It waits for its time: it ran less than its grace period ago; its schedule is due 2026-03-02 13:00:00 UTC (in 1h 0m).',
      },
    ],
    [
      'waits for its schedule',
      explained({ trigger: 'schedule', next_run_at: later }),
      { kind: 'waits', level: 'idle', sentence: expect.stringMatching(/^It waits for its time: its schedule is due/) },
    ],
    [
      'is late',
      explained({ trigger: 'schedule', next_run_at: earlier }),
      { kind: 'waits', level: 'warn', sentence: expect.stringContaining('the scheduler is late') },
    ],
    [
      'cannot be told',
      explained({ verdict: 'unknown', steps: [passes, unanswered('ooi')] }),
      { kind: 'unknown', sentence: expect.stringMatching(/: Octopoes does not answer\.$/), fact: 'ooi answered 503' },
    ],
    [
      'cannot be told by its actor',
      explained({ verdict: 'unknown', steps: [unanswered('actor')] }),
      { kind: 'unknown', sentence: expect.stringMatching(/: actor boefje does not answer\.$/) },
    ],
    [
      'is free',
      explained(),
      { kind: 'free', level: 'idle', sentence: expect.stringMatching(/^Nothing is in its way: .*none has come\.$/) },
    ],
    [
      'deschedules',
      explained({ verdict: 'refused', steps: [refuses(null)] }),
      { kind: 'refused', level: 'idle', reason: null, fact: 'the fact of null' },
    ],
  ])('of what %s', (_, view, expected) => expect(verdictOf(view)).toMatchObject(expected));

  test.each(refusalReasons)('reason %s: one sentence that ends, its code, its fact and one thing to do', (reason) => {
    const { sentence, ...rest } = verdictOf(refused(reason));
    expect(rest).toMatchObject({ reason, fact: `the fact of ${reason}`, advice: adviceOn[reason].deed });
    expect(sentence).toMatch(/^[A-Z][^.]*: [^.]*\.$/);
    expect(sentence).toContain(adviceOn[reason].says);
  });

  test.each(refusalReasons)('of what is queued it is not said that it would not be, for reason %s', (reason) => {
    for (const start of [inLine, untold('nobody-asks'), untold('none-handed-out'), untold('not-queued'), null]) {
      for (const in_the_way of [[], [pause]])
        expect(verdictOf(refused(reason, { task: taskOf('queued'), start, in_the_way })).sentence).toMatch(/^Queued/);
    }
  });
});

describe('what a person may queue by hand', () => {
  const ofTime: readonly RefusalReason[] = ['no-run-on', 'grace-period', 'failing'];

  test('is what nothing keeps, or a pause alone, which goes on to hold it', () => {
    expect(whyNotNow(explained())).toBeNull();
    expect(whyNotNow(explained({ in_the_way: [pause], schedule: scheduleOf() }))).toBeNull();
  });

  test.each(refusalReasons)('where %s refuses, is so only if that is of time', (reason) => {
    const why = whyNotNow(refused(reason));
    if (ofTime.includes(reason)) expect(why).toBeNull();
    else expect(why).toBe(`${reason}: the fact of ${reason}`);
  });

  test('is nothing that another rule refuses, too', () => {
    const steps = [refuses('grace-period'), refuses('scan-level-too-low')];
    expect(whyNotNow(refused('grace-period', { steps }))).toMatch(/^scan-level-too-low: /);
  });

  test('is nothing while a service does not answer, or a task of it is queued', () => {
    expect(whyNotNow(refused('grace-period', { steps: [refuses('grace-period'), unanswered('ooi')] }))).toMatch(
      /cannot be told now: ooi answered 503/,
    );
    expect(whyNotNow(explained({ verdict: 'unknown', task: taskOf('queued') }))).toMatch(/^already-queued/);
  });

  test('is nothing whose schedule a person disabled, though an event would queue it; the rules decide their own anew', () => {
    const disabled = (disabled_reason: 'person' | 'ooi-gone' | null) =>
      whyNotNow(explained({ schedule: scheduleOf({ enabled: false, disabled_reason }) }));
    expect(disabled('person')).toMatch(/^schedule-disabled/);
    expect(disabled(null)).toMatch(/^schedule-disabled/);
    expect(disabled('ooi-gone')).toBeNull();
  });

  test('is no raw file by which a boefje asks to be descheduled', () => {
    expect(whyNotNow(explained({ verdict: 'refused', steps: [refuses(null)] }))).toBe('rule: the fact of null');
  });
});
