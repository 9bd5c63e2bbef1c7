import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, inject, onTestFinished, test } from 'vitest';
import { createDatabase } from '../support/database.ts';
import { startCollector } from '../support/otlp-collector.ts';

const entry = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));
const recorder = new URL('../support/record-loads.ts', import.meta.url).href;

/** Starts a supervisor as operators do, until all its actors run, and ends it. */
async function startAndStop(environment: Readonly<Record<string, string>>) {
  const [database, folder] = await Promise.all([createDatabase(), mkdtemp(join(tmpdir(), 'rota-loads-'))]);
  const loads = join(folder, 'loads');
  await writeFile(loads, '');
  const child = spawn(process.execPath, ['--import', recorder, entry, 'start'], {
    env: {
      PATH: process.env['PATH'],
      RECORD_LOADS: loads,
      SCHEDULER_DB_URI: database.url,
      NATS_URL: inject('natsUrl'),
      SCHEDULER_NATS_PREFIX: 'rota-loads',
      SCHEDULER_API_HOST: '127.0.0.1',
      SCHEDULER_API_PORT: '0',
      SCHEDULER_LOGGING_FORMAT: 'json',
      ...environment,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await Promise.all([database.drop(), rm(folder, { recursive: true })]);
  });
  let started = 0;
  for await (const text of createInterface({ input: child.stderr })) {
    const { event } = JSON.parse(text) as { event: string };
    // Once: a second signal would end it at once.
    if (event === 'actor started' && ++started === 3) child.kill('SIGTERM');
  }
  const [code] = child.exitCode === null ? ((await once(child, 'exit')) as [number]) : [child.exitCode];
  const loaded = (await readFile(loads, 'utf8')).trimEnd().split('\n');
  return { code, loaded: new Set(loaded) };
}

test('without SPAN_EXPORT_GRPC_ENDPOINT no thread loads OpenTelemetry: the interface that prom-client comes with is all there is', async () => {
  const { code, loaded } = await startAndStop({});
  expect(code).toBe(0);
  expect(loaded).toEqual(new Set(['0 @opentelemetry/api']));
});

test('with it the main thread alone loads OpenTelemetry, and a supervisor that stops exports what its threads had left', async () => {
  const collector = await startCollector();
  onTestFinished(() => collector.stop());
  const { code, loaded } = await startAndStop({ SPAN_EXPORT_GRPC_ENDPOINT: collector.url });
  expect(code).toBe(0);
  expect(loaded).toContain('0 @opentelemetry/exporter-trace-otlp-grpc');
  expect([...loaded].filter((line) => !line.startsWith('0 '))).toEqual([]);
  expect(collector.spans.map(({ name }) => name)).toContain('ReportScheduler.process_rescheduling');
});
