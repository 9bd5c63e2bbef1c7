import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { faultKinds } from '../../src/simulator/virtual/faults.ts';
import { typicalLimits } from '../../src/simulator/virtual/limits-file.ts';
import type { simulate as Simulate, SimulationOptions } from '../../src/simulator/virtual/simulation.ts';

const root = join(import.meta.dirname, '../..');
/** Within so many seeds a fault in the code is to be found. */
const seeds = 20;
const small = { organisations: 3, objects: 15, policy: 'fair-share' } as const;

interface DeliberateFault {
  readonly fault: string;
  readonly file: string;
  readonly right: string;
  readonly wrong: string;
  readonly breaks: string;
  readonly options?: Partial<SimulationOptions>;
}

const faults: readonly DeliberateFault[] = [
  {
    fault: 'the fair ranker is not fair: first come, first served',
    file: 'actors/rankers/fair-share.ts',
    right: 'export const fair = true;',
    wrong: 'export const fair = false;',
    breaks: 'fair-share',
  },
  {
    fault: 'a flow with nothing queued begins behind all others',
    file: 'src/simulator/virtual/queue/fair-share.ts',
    right: 'const head = this.#rows.first(manual ? 0 : 2)?.rank ?? this.#greatest(manual);',
    wrong: 'const head = this.#greatest(manual) + 50_000;',
    breaks: 'fair-share',
  },
  {
    fault: 'an interval runs in every other period',
    file: 'actors/boefje/recurrence.ts',
    right: 'Math.floor((now - from) / interval) + 1',
    wrong: 'Math.floor((now - from) / interval) + 2',
    breaks: 'period',
    options: { days: 3, faults: [] },
  },
  {
    fault: 'the grace period is half as long',
    file: 'actors/boefje/candidate.ts',
    right: 'settings.gracePeriodSeconds * 1000',
    wrong: 'settings.gracePeriodSeconds * 500',
    breaks: 'period',
    options: { days: 3 },
  },
  {
    fault: 'any lease settles a task',
    file: 'src/simulator/virtual/queue/settlement.ts',
    right: "if (leaseId !== null && leaseId !== row.lease?.id) return 'LEASE_LOST';",
    wrong: '',
    breaks: 'fencing',
    options: { faults: ['workers'] },
  },
  {
    fault: 'a lease ends before its time',
    file: 'src/simulator/virtual/queue/settlement.ts',
    right: 'if (row.lease!.until < now && this.#isDue(row, now)) expired.push(row);',
    wrong: 'if (row.lease!.until - 45_000 < now) expired.push(row);',
    breaks: 'one-holder',
  },
  {
    fault: 'what a limit let go and no worker claimed yet takes no place',
    file: 'src/simulator/virtual/queue/memory-limits.ts',
    right: 'limit.concurrency - admitted.size - leased.size',
    wrong: 'limit.concurrency - leased.size',
    breaks: 'limits',
    options: { limits: typicalLimits, faults: [] },
  },
  {
    fault: 'of a limit for several boefjes the others are not held',
    file: 'src/queue/limits/limit.ts',
    right: "limit.plugin.split(',').includes(task.plugin)",
    wrong: "limit.plugin.split(',')[0] === task.plugin",
    breaks: 'limits',
    options: { limits: typicalLimits },
  },
  {
    fault: 'a window is open for twice as long',
    file: 'src/queue/limits/hours.ts',
    right: 'const length = seconds * 1_000;',
    wrong: 'const length = seconds * 2_000;',
    breaks: 'limits',
    options: { limits: typicalLimits, days: 2, faults: [] },
  },
  {
    fault: 'clearance is not looked at',
    file: 'actors/boefje/permission.ts',
    right: 'refuses: (plugin, ooi) => ooi.scanLevel !== null && ooi.scanLevel < plugin.scanLevel,',
    wrong: 'refuses: () => false,',
    breaks: 'permission',
  },
  {
    fault: 'what lost its permission stays queued',
    file: 'actors/boefje/revocation.ts',
    right: 'while (more) ({ more } = ',
    wrong: 'while (more && setup === null) ({ more } = ',
    breaks: 'permission',
    options: { faults: ['pauses', 'clearances'] },
  },
  {
    fault: 'a schedule that ran has no further deadline',
    file: 'actors/boefje/recurrence.ts',
    right: 'deadlineAt: iso(setup.now() + delay), inherited: false };',
    wrong: 'deadlineAt: null, inherited: false };',
    breaks: 'deadline',
    options: { days: 2, faults: [] },
  },
  {
    fault: 'what goes back to the queue has no place in it',
    file: 'src/simulator/virtual/queue/settlement.ts',
    right: '    rows.add(row);',
    wrong: '',
    breaks: 'nothing-lost',
    options: { faults: ['workers'] },
  },
  {
    fault: 'a task that ends its workers is handed out for ever',
    file: 'src/simulator/virtual/queue/settlement.ts',
    right: 'if (row.attempts >= maxAttempts && !unclaimed)',
    wrong: 'if (row.attempts < 0)',
    breaks: 'retries',
    options: { faults: ['workers'] },
  },
  {
    fault: 'a raw file is parsed by the first normalizer that consumes it, and by no other',
    file: 'actors/normalizer/raw-files.ts',
    right: 'return consumers.flatMap((normalizer) => {',
    wrong: 'return consumers.slice(0, 1).flatMap((normalizer) => {',
    breaks: 'events',
    options: { faults: [] },
  },
  {
    fault: 'an OOI that is deleted is asked for its clearance',
    file: 'actors/boefje/mutations.ts',
    right: 'changes.filter((change) => change.ooi !== null),',
    wrong: 'changes,',
    breaks: 'actors',
  },
  {
    fault: 'estimates take workers for twice as fast',
    file: 'src/queue/lists/start.ts',
    right: 'return { perSecond: tasks / overSeconds, overSeconds };',
    wrong: 'return { perSecond: (2 * tasks) / overSeconds, overSeconds };',
    breaks: 'estimates',
    options: { objects: 80, faults: [], policy: 'created-at' },
  },
];

test.each(faults)('is found: $fault', async ({ file, right, wrong, breaks, options }) => {
  const simulate = await patched(file, right, wrong);
  for (let seed = 1; seed <= seeds; seed += 1) {
    const { violations } = await simulate({ ...small, days: 1, faults: faultKinds, seed, ...options });
    const [violation] = violations;
    if (violation === undefined) continue;
    expect(violation).toMatchObject({ invariant: breaks, seed });
    expect(violation.last.length).toBeGreaterThan(10);
    return;
  }
  expect.unreachable(`not found within ${seeds} seeds`);
});

/** The simulation of a copy of the code in which one thing is wrong. */
async function patched(file: string, right: string, wrong: string): Promise<typeof Simulate> {
  const folder = join(root, '.rota');
  mkdirSync(folder, { recursive: true });
  const copy = mkdtempSync(join(folder, 'deliberate-fault-'));
  onTestFinished(() => rmSync(copy, { recursive: true, force: true }));
  for (const part of ['src', 'actors', 'package.json']) cpSync(join(root, part), join(copy, part), { recursive: true });
  const text = readFileSync(join(copy, file), 'utf8');
  expect(text.split(right), `${file} has it once`).toHaveLength(2);
  writeFileSync(
    join(copy, file),
    text.replace(right, () => wrong),
  );
  const module = (await import(pathToFileURL(join(copy, 'src/simulator/virtual/simulation.ts')).href)) as {
    readonly simulate: typeof Simulate;
  };
  return module.simulate;
}
