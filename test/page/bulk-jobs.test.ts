import { expect, onTestFinished, test, vi } from 'vitest';
import { RotaError } from '../../src/errors.ts';
import { type BulkJob, BulkJobs, type BulkWork } from '../../src/page/bulk-jobs.ts';

interface Told {
  readonly by: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

function jobsAt(clock = { ms: Date.parse('2026-11-30T12:00:00Z') }) {
  const told: Told[] = [];
  const audit = (_command: string, by: string, fields: Told['fields']) => void told.push({ by, fields });
  const jobs = new BulkJobs({ now: () => clock.ms, audit, firstWaitMs: 1 });
  onTestFinished(() => jobs.end());
  return { jobs, told, clock };
}

function work(step: BulkWork<number>['step'], more: Partial<BulkWork<number>> = {}): BulkWork<number> {
  const words = { title: 'Cancel the tasks of org-7', past: 'cancelled', list: '/tasks', by: 'ops-1', why: null };
  return { ...words, expected: 3, expectedIsLeast: false, fields: { action: 'cancel' }, step, ...more };
}

const one = { changed: 1, refused: [] };
const ended = (job: BulkJob) => vi.waitFor(() => expect(job.ended).not.toBeNull());
/** A step that waits until the test ends it. */
function gate() {
  const { promise, resolve } = Promise.withResolvers<void>();
  onTestFinished(() => resolve());
  return { step: () => promise.then(() => ({ ...one, next: 1 })), open: resolve };
}

test('steps follow each other by the cursor of the one before; begin and end are told', async () => {
  const { jobs, told } = jobsAt();
  const asked: (number | null)[] = [];
  const job = jobs.begin(
    work(async (at) => {
      asked.push(at);
      return { ...one, next: at === 2 ? null : (at ?? 0) + 1 };
    }),
  );
  expect(job).toMatchObject({ state: 'runs', changed: 0 });
  await ended(job);
  expect(asked).toEqual([null, 1, 2]);
  expect(job).toMatchObject({ state: 'done', changed: 3, trouble: null });
  expect(told).toEqual([
    { by: 'ops-1', fields: { job: job.id, action: 'cancel', expected: 3 } },
    { by: 'ops-1', fields: { job: job.id, state: 'done', tasks: 3, refused: 0 } },
  ]);
});

test.each(['DATABASE_UNAVAILABLE', 'LIST_TOO_SLOW', 'TOO_MANY_REQUESTS'] as const)(
  'a step that fails with %s is repeated where it was, and says what it waits for',
  async (code) => {
    const { jobs } = jobsAt();
    const asked: (number | null)[] = [];
    const troubles: (string | null)[] = [];
    const job: BulkJob = jobs.begin(
      work(async (at) => {
        asked.push(at);
        if (asked.length > 1) troubles.push(job.trouble);
        if (asked.length === 2 || asked.length === 3) throw new RotaError(code, 'it is away');
        return { ...one, next: at === null ? 7 : null };
      }),
    );
    await ended(job);
    expect(asked).toEqual([null, 7, 7, 7]);
    expect(troubles).toEqual([null, 'waits: it is away', 'waits: it is away']);
    expect(job).toMatchObject({ state: 'done', changed: 2, trouble: null });
  },
);

test.each([
  ['FORBIDDEN', new RotaError('FORBIDDEN', 'it needs the role operate')],
  ['what nobody knows', new Error('it needs the role operate')],
])('a step that fails with %s ends the job with its sentence; what was done stays counted', async (_name, error) => {
  const { jobs, told } = jobsAt();
  const job = jobs.begin(
    work(async (at) => {
      if (at !== null) throw error;
      return { ...one, next: 1 };
    }),
  );
  await ended(job);
  expect(job).toMatchObject({ state: 'failed', changed: 1, trouble: 'it needs the role operate' });
  expect(told.at(-1)).toMatchObject({ fields: { state: 'failed', tasks: 1 } });
});

test('a stop ends it after the step in hand, and during a wait at once; who stopped it is told', async () => {
  const { jobs, told } = jobsAt();
  const { step, open } = gate();
  const job = jobs.begin(work(step));
  jobs.stop(job.id, 'ops-2');
  expect(job).toMatchObject({ state: 'runs', stopping: true });
  expect(told.at(-1)).toEqual({ by: 'ops-2', fields: { job: job.id, begun_by: 'ops-1' } });
  open();
  await ended(job);
  expect(job).toMatchObject({ state: 'stopped', changed: 1, trouble: 'stopped by ops-2' });
  expect(() => jobs.stop(job.id, 'ops-2')).toThrow(expect.objectContaining({ code: 'CONFLICT' }));
  const long = new BulkJobs({ now: Date.now, audit: () => {}, firstWaitMs: 3_600_000 });
  const failed = Promise.withResolvers<void>();
  const waits = long.begin(
    work(async () => {
      failed.resolve();
      throw new RotaError('DATABASE_UNAVAILABLE', 'it is away');
    }),
  );
  await failed.promise;
  await long.end();
  expect(waits).toMatchObject({ state: 'stopped' });
});

test('what goes on to its end is not stopped', async () => {
  const { jobs } = jobsAt();
  const { step } = gate();
  const job = jobs.begin(work(step, { goesOn: 'it goes on' }));
  expect(() => jobs.stop(job.id, 'ops-2')).toThrow('it goes on');
  expect(job).toMatchObject({ state: 'runs', stopping: false });
});

test('at most four run at once; at most twenty are kept, and none for longer than an hour', async () => {
  const { jobs, clock } = jobsAt();
  const gates = Array.from({ length: 4 }, gate);
  const running = gates.map(({ step }) => jobs.begin(work(step)));
  expect(() => jobs.begin(work(async () => ({ ...one, next: null })))).toThrow('4 bulk jobs run already');
  for (const { id } of running) jobs.stop(id, 'ops-1');
  for (const { open } of gates) open();
  await Promise.all(running.map(ended));
  const short: BulkJob[] = [];
  for (let n = 0; n < 30; n += 1) {
    short.push(jobs.begin(work(async () => ({ ...one, next: null }))));
    await ended(short.at(-1)!);
  }
  expect(jobs.list().map(({ id }) => id)).toEqual(
    short
      .slice(-20)
      .toReversed()
      .map(({ id }) => id),
  );
  expect(() => jobs.get(running[0]!.id)).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }));
  clock.ms += 3_600_001;
  expect(jobs.list()).toEqual([]);
});

test('refusals are counted by their reason, of which the first hundred are listed', async () => {
  const { jobs } = jobsAt();
  const refused = Array.from({ length: 80 }, (_, n) => ({
    id: String(n),
    code: n % 4 === 0 ? 'NOT_FOUND' : 'CONFLICT',
    detail: '',
  }));
  const job = jobs.begin(work(async (at) => ({ changed: 1, refused, next: at === null ? 1 : null })));
  await ended(job);
  expect(job).toMatchObject({ changed: 2, refusedCount: 160 });
  expect(job.refused).toHaveLength(100);
  expect(Object.fromEntries(job.reasons)).toEqual({ CONFLICT: 120, NOT_FOUND: 40 });
});

test('its end ends what runs, and takes nothing more', async () => {
  const { jobs } = jobsAt();
  const { step, open } = gate();
  const job = jobs.begin(work(step));
  const end = jobs.end();
  open();
  await end;
  expect(job).toMatchObject({ state: 'stopped', changed: 1, trouble: 'its supervisor ended' });
  expect(() => jobs.begin(work(step))).toThrow(expect.objectContaining({ code: 'TOO_MANY_REQUESTS' }));
});
