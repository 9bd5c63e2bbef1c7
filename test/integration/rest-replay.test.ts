import { afterAll, beforeAll, expect, test } from 'vitest';
import { createMetrics } from '../../src/observation/metrics.ts';
import { intendedDifferences } from '../fixtures/intended-differences.ts';
import { quietReadings } from '../support/readings.ts';
import { fillGap } from '../support/recording-gap.ts';
import { type RecordedLine, readRecording, Replay } from '../support/replay.ts';
import { type RestOnPostgres, serveOnPostgres } from '../support/rest.ts';

const recording = readRecording();
const recordedUrl = 'http://127.0.0.1:58004';
/** The last line before the recording skips, and the first after it. */
const gap = { before: 100, after: 340 };

let rest: RestOnPostgres;
let metrics: ReturnType<typeof createMetrics>;
let replay: Replay;
let now: Date;

beforeAll(async () => {
  metrics = createMetrics(quietReadings);
  rest = await serveOnPostgres({ metrics: metrics.registry, now: () => now });
  replay = new Replay(rest.url, recordedUrl);
});

afterAll(async () => {
  await rest.stop();
  metrics.stop();
});

/** Crons are reckoned from the moment at which mula was asked. */
function momentOf({ body }: RecordedLine): Date {
  const created = (body as { created_at?: string } | null)?.created_at;
  return new Date(created ?? '2026-11-24T08:27:39Z');
}

test('every recorded request is answered as mula answered it, but for the table of intended differences', async () => {
  const found: Record<string, readonly string[]> = {};
  for (const line of recording) {
    if (line.seq === gap.after) await fillGap(rest.sql, recording, gap);
    now = momentOf(line);
    const differences = replay.differences(line, await replay.ask(line));
    if (differences.length > 0) found[`${line.seq} ${line.name}`] = differences;
  }
  expect(found).toEqual(
    Object.fromEntries(intendedDifferences.map(({ seq, name, differences }) => [`${seq} ${name}`, differences])),
  );
});
