import { spawn } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { DemoReport } from '../../src/cli/demo/report.ts';

const entry = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));
const small = ['--organisations', '2', '--objects', '6', '--boefjes', '3', '--seconds', '5'];
/** Some fifty units: that none of them meets its worker's death is a matter of one in ten million. */
const chaos = ['--objects', '12', '--boefjes', '6', '--workers', '6', '--kill-workers', '0.3'];
/** Beside the run itself: the start on a busy machine, three leases of 5 s, and 30 s until an event of a killed actor is back. */
const withinMs = 240_000;

function startDemo(args: readonly string[]) {
  const child = spawn(process.execPath, [entry, 'demo', ...small, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) =>
    child.once('close', (code) => resolve({ code, stdout, stderr })),
  );
  return { child, ended };
}

async function runDemo(args: readonly string[]): Promise<DemoReport> {
  const { code, stdout, stderr } = await startDemo([...args, '--json']).ended;
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as DemoReport;
}

function expectAllFinished(report: DemoReport): void {
  for (const [scheduler, counts] of Object.entries(report.tasks)) {
    expect(counts.queued, scheduler).toBeGreaterThan(0);
    expect(counts, scheduler).toMatchObject({ dispatched: counts.queued });
    expect(counts.completed + counts.failed, scheduler).toBe(counts.queued);
  }
}

test('every task of a small KAT is handed out once and finished', { timeout: withinMs }, async () => {
  const report = await runDemo(['--workers', '3', '--fail', '0']);
  expectAllFinished(report);
  expect(report).toMatchObject({ lost: 0, handed_out_twice: 0, redelivered: 0 });
  expect(report.event_to_worker_ms.p50).toBeGreaterThan(0);
  expect(report.actors).toEqual({
    boefje: { restarts: 0 },
    normalizer: { restarts: 0 },
    report: { restarts: 0 },
    supervisor: { restarts: 0 },
  });
});

test(
  'nothing is lost or handed out twice while workers, actors and the supervisor are killed',
  { timeout: withinMs },
  async () => {
    const report = await runDemo([...chaos, '--kill-actors', '2', '--restart-supervisor']);
    expectAllFinished(report);
    expect(report).toMatchObject({ lost: 0, handed_out_twice: 0 });
    expect(report.redelivered).toBeGreaterThan(0);
    expect(report.actors['boefje']!.restarts).toBeGreaterThanOrEqual(1);
    expect(report.actors['normalizer']!.restarts).toBeGreaterThanOrEqual(1);
    expect(report.actors['supervisor']).toEqual({ restarts: 1 });
  },
);

test(
  'of each boefje no more run at once than the limit, while workers and the supervisor are killed',
  { timeout: withinMs },
  async () => {
    const report = await runDemo([...chaos, '--limit', '1', '--restart-supervisor']);
    expectAllFinished(report);
    expect(report).toMatchObject({ lost: 0, handed_out_twice: 0, most_at_once: 1 });
  },
);

test('Ctrl-C stops everything that the demo started', { timeout: withinMs }, async () => {
  const folders = async () => (await readdir(tmpdir())).filter((name) => name.startsWith('rota-demo-'));
  const before = new Set(await folders());
  const { child, ended } = startDemo([]);
  for await (const line of createInterface({ input: child.stdout })) if (line.includes('handed out')) break;
  child.kill('SIGINT');
  const { code, stderr } = await ended;
  expect(code).toBe(130);
  expect(stderr).toContain('everything that was started is stopped');
  expect((await folders()).filter((name) => !before.has(name))).toEqual([]);
});
